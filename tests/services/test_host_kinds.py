"""Two workers of different kinds of hosts on a real Redis: each does what needs its own, whatever tickets say."""

import subprocess
from collections.abc import Callable

import pytest
from celery import Celery
from sqlmodel import select
from tests.stored_image import image_row

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.engine import publish_bake, publish_tickets, queue_of, waiting_tickets
from farm_scheduler.plan import Narrowing
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.tables import Attempt, Image, Job, Run

from .test_engine_tasks import app, database, redis, state_of, wait_for, worker  # noqa: F401 - fixtures
from .test_engine_tasks import settings as plain_settings  # noqa: F401 - a fixture

Worker = Callable[..., "subprocess.Popen[bytes]"]
KINDS = {"WHEELFARM_SYSTEMS": "debian-12,debian-13", "WHEELFARM_SYSTEM_HOSTS": "debian-13=big"}
BIG = {**KINDS, "WHEELFARM_HOST_KIND": "big"}


@pytest.fixture
def settings(plain_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:  # noqa: F811 - the fixture above
    """A farm of two systems, one of which needs a host called `big`."""
    for name, value in KINDS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WHEELFARM_HOME", str(plain_settings.home))
    return Settings(slots=2)


@pytest.fixture(autouse=True)
def images(database: Database) -> None:  # noqa: F811 - the fixture above
    """Both images are ready."""
    with database.write() as session:
        row = image_row("3.10.1", "3.11.1", "3.12.1")
        row.name = "debian-13"
        session.add(row)


def submit(database: Database, app: Celery, settings: Settings) -> Run:  # noqa: F811 - the fixtures above
    """A run with three jobs on each system."""
    folder = settings.home / "project"
    folder.mkdir(exist_ok=True)
    (folder / "tox.ini").write_text("[tox]\nenv_list = py310, py311, py312\n")
    return runs.submit(database, app, settings, str(folder), Narrowing(systems=("all",)))


def done_by(database: Database) -> dict[str, set[str]]:  # noqa: F811 - the fixture above
    """The process ids of the workers that had jobs of each system."""
    found: dict[str, set[str]] = {}
    with database.read() as session:
        for system, name in session.exec(
            select(Job.system, Attempt.worker).join(Attempt, Attempt.job_id == Job.id)  # type: ignore[arg-type]  # an expression
        ):
            found.setdefault(system, set()).add(name.rpartition(":")[2])
    return found


def left_of(database: Database, run: Run) -> set[str]:  # noqa: F811 - the fixture above
    """The systems of a run whose jobs have not ended."""
    with database.read() as session:
        jobs = session.exec(select(Job).where(Job.run_id == run.id)).all()
    return {job.system for job in jobs if job.finished is None}


@pytest.mark.usefixtures("redis")
def test_each_kind_has_its_tickets(database, app, settings) -> None:  # noqa: F811 - the fixtures above
    """A run's tickets lie in the queues of the kinds of hosts that its cells need."""
    submit(database, app, settings)
    assert (waiting_tickets(app, "x86_64"), waiting_tickets(app, "big")) == (3, 3)


def test_each_worker_does_what_its_host_can(database, app, settings, worker) -> None:  # noqa: F811 - as above
    """Jobs of a system are done by workers of its kind only, and the run ends."""
    plain = worker(**KINDS)
    big = worker(**BIG)
    run = submit(database, app, settings)
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    assert done_by(database) == {"debian-12": {str(plain.pid)}, "debian-13": {str(big.pid)}}


def test_tickets_in_wrong_queues_change_nothing(database, app, settings, worker) -> None:  # noqa: F811 - as above
    """Tickets that are lost, or lie where no host can serve them, delay a job until the sweep, and no more."""
    run = submit(database, app, settings)
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_purge(queue_of("x86_64"))
        channel.queue_purge(queue_of("big"))
    publish_tickets(app, {"x86_64": 9})
    publish_bake(app, "debian-13", "x86_64")
    plain = worker(**KINDS)
    wait_for(lambda: left_of(database, run) == {"debian-13"})
    with database.read() as session:
        assert session.get_one(Image, "debian-13").state is ImageState.READY
    big = worker(**BIG)
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    assert done_by(database) == {"debian-12": {str(plain.pid)}, "debian-13": {str(big.pid)}}


def test_a_bake_is_the_business_of_its_kind(database, app, settings, worker) -> None:  # noqa: F811 - as above
    """An image that is missing waits for a host of its kind; others go on meanwhile."""
    with database.write() as session:
        session.get_one(Image, "debian-13").state = ImageState.MISSING
    worker(**KINDS)
    run = submit(database, app, settings)
    wait_for(lambda: waiting_tickets(app, "big") > 0)
    assert state_of(database, run) is RunState.PLANNED
    worker(**BIG)
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
