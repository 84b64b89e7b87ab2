"""A farm of real processes, on SQLite or on a PostgreSQL of the test's own."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres import Cluster, cluster
from tests.services.jobs.conftest import end_processes_below, interpreter_rows
from tests.stored_image import store_image

from farm_scheduler.database import Database
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image

from .farm import Farm, wait_for


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder, as sockets are made in it; the processes of the tests get nothing of the caller's tools."""
    for name in ("TOX_OVERRIDE", "TOX_TESTENV_PASSENV", "PIP_FIND_LINKS", "WHEELFARM_LEASE_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextlib.contextmanager
def farm_in(home: Path, database_url: str = "") -> Iterator[Farm]:
    """A farm in a home, with an image and no process yet; none is left at the end, and no agent either."""
    settings = Settings(home=home, database_url=database_url, slots=2, systems=("debian-12",))
    settings.prepare()
    store_image(settings.images, digest="0" * 64, baked=time.time())
    database = Database(settings.record_url)
    upgrade(database)
    with database.write() as session:
        rows = interpreter_rows()
        session.add(Image(name="debian-12", state=ImageState.READY, digest="0" * 64, interpreters=rows))
    farm = Farm(settings=settings, database=database)
    try:
        yield farm
        wait_for(lambda: not farm.agents(), 20)
    finally:
        farm.stop()
        for folder in map(
            Path, farm.machines()
        ):  # what a killed worker could not end, nor an agent on its own
            end_processes_below(folder)
            shutil.rmtree(folder, ignore_errors=True)
        database.close()


@pytest.fixture
def farm(home: Path) -> Iterator[Farm]:
    """On SQLite."""
    with farm_in(home) as made:
        yield made


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A PostgreSQL that the test may kill."""
    with cluster() as made:
        yield made


@pytest.fixture
def farm_on_server(home: Path, server: Cluster) -> Iterator[Farm]:
    """On PostgreSQL."""
    with farm_in(home, server.new_record()) as made:
        yield made
