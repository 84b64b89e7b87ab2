"""What the tests of the doors share."""

from pathlib import Path

import pytest

from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.tokens import make_token

from ..conftest import fill
from .serving import served


@pytest.fixture(scope="session")
def root():
    """The root of the repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def farm(settings, database, tmp_path, monkeypatch):
    """The address of a farm with the realistic record; the person's own home is another, and empty."""
    fill(database, settings)
    with served(settings) as client:
        monkeypatch.setenv("WHEELFARM_HOME", str(tmp_path / "person"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        yield str(client.base_url).rstrip("/")


@pytest.fixture
def token(database, monkeypatch):
    """An admin's token, as `WHEELFARM_TOKEN`."""
    with database.write() as session:
        _, secret = make_token(session, LOCAL, name="person", role=Role.ADMIN)
    monkeypatch.setenv("WHEELFARM_TOKEN", secret)
    return secret
