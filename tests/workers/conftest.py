"""A GitHub of the tests' own, and a farm with a project there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_scheduler.database import Database
from farm_scheduler.settings import Settings

from .github_server import GitHub
from .mail_server import MailServer
from .told_farm import Farm


@pytest.fixture
def github() -> Iterator[GitHub]:
    """A running one, empty."""
    with GitHub() as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailServer]:
    """A mail server that offers nothing."""
    with MailServer() as server:
        yield server


@pytest.fixture
def github_farm(tmp_path: Path, record: Database, record_url: str, github: GitHub) -> Farm:
    """A farm that may ask it."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        git_hosts=(github.host,),
        public_url="https://farm.example/",
    )
    settings.prepare()
    farm = Farm(record, settings, github.host)
    farm.project("github")
    return farm
