"""A real worker process on a real Redis: tickets, the sweep, and what a kill leaves."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from sqlmodel import select
from tests.stored_image import image_row

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app, publish_tickets, waiting_tickets
from farm_scheduler.errors import EngineError
from farm_scheduler.plan import Narrowing
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, JobState, QuestionState, RunState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Question, Run

WORKER = '''
"""A worker whose jobs take a moment and pass: no machine is needed to test the engine."""

import os
import time
from pathlib import Path

import farm_workers.image_bake
import farm_workers.metadata_question
import farm_workers.run
import farm_workers.tasks
from farm_scheduler.judgement import Judgement
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.states import ImageState, JobState
from farm_scheduler.verdicts import Verdict


def run(self):
    with Path(os.environ["STARTED"]).open("a") as stream:
        stream.write(self._claim.job_id + "\\n")
    farm_workers.run.move(self._hands.database, self._claim, JobState.BOOTING)
    farm_workers.run.move(self._hands.database, self._claim, JobState.RUNNING)
    deadline = time.monotonic() + float(os.environ["TAKES"])
    while time.monotonic() < deadline and self._heartbeat.standing.value == "wanted":
        time.sleep(0.05)
    return Judgement(verdict=Verdict.PASSED)


def bake(self, *, look_only=False):
    self._write(state=ImageState.READY, digest="d", progress=100)


def inquire(self):
    deadline = time.monotonic() + float(os.environ["TAKES"])
    while time.monotonic() < deadline:
        self._say("building it")
        time.sleep(0.05)
    return ProjectMetadata(name="demo", version="2", requires_python=">=3.12")


farm_workers.metadata_question._Inquiry.run = inquire
farm_workers.run._Runner.run = run
farm_workers.image_bake.ImageBake.run = bake


def __getattr__(name):
    return getattr(farm_workers.tasks, name)
'''


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A farm in a short home, as sockets are made in it."""
    with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name:
        settings = Settings(home=Path(name), slots=2)
        settings.prepare()
        yield settings


class Redis:
    """The private Redis of a farm; `process` is the last one started."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[bytes]

    def start(self) -> None:
        """Start one, empty."""
        socket = self.settings.redis_socket
        options = {
            "port": "0",
            "unixsocket": socket,
            "save": "",
            "appendonly": "no",
            "dir": self.settings.home,
        }
        parts = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self.process = subprocess.Popen(["redis-server", *parts], stdout=subprocess.DEVNULL)
        wait_for(socket.exists)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """A running Redis, which is gone afterwards."""
    redis = Redis(settings)
    redis.start()
    yield redis
    redis.process.kill()
    redis.process.wait(timeout=10)


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The record, with a ready image."""
    database = Database(settings.record_url)
    upgrade(database)
    with database.write() as session:
        session.add(image_row("3.10.1", "3.11.1", "3.12.1"))
    yield database
    database.close()


@pytest.fixture
def app(settings: Settings) -> Iterator[Celery]:
    """The engine as a client has it."""
    app = celery_app(settings)
    yield app
    app.close()


@pytest.fixture
def worker(
    settings: Settings, redis: object, tmp_path: Path
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts a worker as the service does, beat with the first; all are gone afterwards."""
    del redis
    (tmp_path / "quick_tasks.py").write_text(textwrap.dedent(WORKER))
    started: list[subprocess.Popen[bytes]] = []

    def start(takes: float = 0.2, **more: str) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "quick_tasks",
            "worker",
            "--pool",
            "threads",
        ]
        options = ["--concurrency", "4", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        environment = {
            **os.environ,
            "PYTHONPATH": str(tmp_path),
            "WHEELFARM_HOME": str(settings.home),
            "WHEELFARM_LEASE_SECONDS": "2",
            "WHEELFARM_SLOTS": "2",
            "WHEELFARM_GIT_FILES": "true",
            "WHEELFARM_SYSTEMS": "debian-12",
            "STARTED": str(tmp_path / "started"),
            "TAKES": str(takes),
            "C_FORCE_ROOT": "1",
            **more,
        }
        periodic = [sys.executable, "-m", "celery", "-A", "farm_workers.beat", "beat"]
        periodic += ["--scheduler", "farm_workers.beat.SteadyScheduler"]
        commands = [[*command, *options]] if started else [periodic, [*command, *options]]
        for argv in commands:
            with (settings.logs / "worker.log").open("ab") as log:
                started.append(subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait(timeout=10)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def submit(database: Database, app: Celery, settings: Settings) -> Run:
    """A run with three jobs."""
    folder = settings.home / "project"
    folder.mkdir(exist_ok=True)
    (folder / "tox.ini").write_text("[tox]\nenv_list = py310, py311, py312\n")
    return runs.submit(database, app, settings, str(folder), Narrowing())


def question(database: Database) -> Question:
    """The only question, as it is now."""
    with database.read() as session:
        return session.exec(select(Question)).one()


def state_of(database: Database, run: Run) -> RunState:
    """The run's state now."""
    with database.read() as session:
        found = session.get(Run, run.id)
    assert found is not None
    return found.state


def attempts(database: Database) -> list[Attempt]:
    """All attempts."""
    with database.read() as session:
        return list(session.exec(select(Attempt)).all())


def processes_of(settings: Settings) -> list[str]:
    """Command lines of processes that belong to the farm of these settings, its Redis and its beat aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"WHEELFARM_HOME={settings.home}".encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text())
    return [words for words in found if "farm_workers.beat" not in words]


def test_a_submitted_run_runs_to_its_end(database, app, settings, worker, tmp_path) -> None:
    """Tickets reach a real worker, every job runs once, and the run ends."""
    worker()
    run = submit(database, app, settings)
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    assert len((tmp_path / "started").read_text().split()) == 3
    assert len(attempts(database)) == 3


def test_lost_and_doubled_tickets_change_nothing(database, app, settings, worker, tmp_path) -> None:
    """With too many tickets each job still runs once; with none the sweep sends them."""
    run = submit(database, app, settings)
    publish_tickets(app, {"x86_64": 7})
    assert waiting_tickets(app) == 10
    worker()
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    second = submit(database, app, settings)
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_purge("wheelfarm.x86_64")
    wait_for(lambda: state_of(database, second) is RunState.FINISHED)
    assert len((tmp_path / "started").read_text().split()) == 6


def test_a_killed_worker_loses_no_job(database, app, settings, worker) -> None:
    """What a killed worker had is run again by the next one, and the run ends."""
    first = worker(takes=600)
    run = submit(database, app, settings)
    wait_for(lambda: len(attempts(database)) == 2)
    first.send_signal(signal.SIGKILL)
    first.wait(timeout=10)
    wait_for(lambda: not processes_of(settings), 5)
    worker()
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    with database.read() as session:
        assert {job.state for job in session.exec(select(Job))} == {JobState.FINISHED}
    assert len(attempts(database)) == 5


def test_a_redis_that_lost_everything_loses_no_job(database, app, settings, worker, redis) -> None:
    """Redis killed under a worker and started empty: the sweep brings the tickets back."""
    worker(takes=3)
    run = submit(database, app, settings)
    wait_for(lambda: len(attempts(database)) == 2)
    redis.process.kill()
    redis.process.wait(timeout=10)
    settings.redis_socket.unlink()
    redis.start()
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    assert len(attempts(database)) == 3


def test_a_cancelled_run_stops_its_jobs(database, app, settings, worker) -> None:
    """Cancelling reaches the jobs that a worker has."""
    worker(takes=600)
    run = submit(database, app, settings)
    wait_for(lambda: len(attempts(database)) == 2)
    runs.cancel(database, run.id)
    wait_for(lambda: state_of(database, run) is RunState.CANCELLED, 20)


def test_a_run_without_image_waits_for_the_bake(database, app, settings, worker) -> None:
    """The bake is asked for, and the run goes on by itself."""
    with database.write() as session:
        image = session.get(Image, "debian-12")
        assert image is not None
        image.state = ImageState.MISSING
    run = submit(database, app, settings)
    assert state_of(database, run) is RunState.PLANNED
    worker()
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)


def test_a_question_of_a_killed_worker_is_asked_again(database, app, settings, worker) -> None:
    """The run that waits for a guest's answer gets it from the next worker, and is planned with it."""
    folder = settings.home / "project"
    folder.mkdir()
    (folder / "setup.py").write_text("from setuptools import setup\nsetup(python_requires=compute())\n")
    run = submit(database, app, settings)
    first = worker(takes=60)
    wait_for(lambda: question(database).note == "building it")
    first.kill()
    worker()
    wait_for(lambda: state_of(database, run) is RunState.FINISHED)
    with database.read() as session:
        found = session.get_one(Run, run.id)
        assert [cell.python for cell in session.exec(select(Cell))] == ["3.12"]
    assert (found.project, found.version, question(database).state) == ("demo", "2", QuestionState.ANSWERED)


def test_a_cancelled_run_is_not_asked_for_any_further(database, app, settings, worker) -> None:
    """Its worker hears of the cancellation and lets go of the question."""
    folder = settings.home / "project"
    folder.mkdir()
    (folder / "setup.py").write_text("from setuptools import setup\nsetup(python_requires=compute())\n")
    run = submit(database, app, settings)
    worker(takes=60)
    wait_for(lambda: question(database).note == "building it")
    runs.cancel(database, run.id)
    wait_for(lambda: question(database).state is QuestionState.WAITING, 10)
    assert state_of(database, run) is RunState.CANCELLED


def test_no_redis_is_told(settings, database) -> None:
    """Without Redis a submission says so, and the run is recorded for the sweep."""
    app = celery_app(settings)
    with pytest.raises(EngineError, match="does not answer"):
        submit(database, app, settings)
    with database.read() as session:
        (run,) = session.exec(select(Run)).all()
    assert run.state is RunState.QUEUED
