"""A farm of real processes for the fault tests, each of which a test may kill: Redis, worker, beat, the API.

The worker's machines are real agents, started as processes of this host (the same contract suite holds both to their
word), or those of a holder. All settings that decide how soon the farm recovers are those of production.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from celery import Celery
from sqlmodel import select
from tests.services.jobs.test_run_job import Sent, project

from farm_cli.probes import worker_waits
from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
from farm_scheduler.plan import Narrowing
from farm_scheduler.settings import Settings
from farm_scheduler.states import JobState, RunState
from farm_scheduler.tables import Attempt, Job, Run, Test
from farm_scheduler.verdicts import Verdict

ROOT = Path(__file__).resolve().parents[2]
STATES = ("leased", "booting", "running", "streaming", "finishing")
"""Of a job, each of which held_tasks can hold; `streaming` is running with a part of the stream kept."""

RECOVERS_SECONDS = 60.0
"""How long the farm may take to go on by itself after any fault."""

START_SECONDS = 240.0
TWO_TESTS = "def test_a(): pass\ndef test_b(): pass\n"
Process = subprocess.Popen[bytes]


def wait_for(condition: Callable[[], bool], seconds: float = START_SECONDS) -> float:
    """Wait until something is true; how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not so within {seconds:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - began


@dataclass(kw_only=True)
class Farm:
    """The processes of one home.

    Attributes:
        settings: of the home; nothing in them but places.
        variables: what every process is told beside them.
    """

    settings: Settings
    database: Database
    variables: dict[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    jobs: int = 0

    @property
    def held(self) -> Path:
        """The file that says that an attempt is held."""
        return self.settings.home / "held"

    def redis(self, *, keep: bool = False) -> Process:
        """Start the private Redis; with `keep` it writes down what it has, and reads it at its start."""
        folder = self.settings.home / "redis"
        folder.mkdir(exist_ok=True)
        self.settings.redis_socket.unlink(missing_ok=True)
        kept = ["--appendonly", "yes", "--appendfsync", "always"] if keep else ["--save", ""]
        where = ["--port", "0", "--unixsocket", str(self.settings.redis_socket), "--dir", str(folder)]
        process = self._start("redis", ["redis-server", *where, *kept])
        wait_for(self.settings.redis_socket.exists)
        return process

    def worker(self, **variables: str) -> Process:
        """Start a worker as the service does, but for its machines."""
        options = ("--pool", "threads", "--concurrency", "5", "--loglevel", "INFO")
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        argv = ["-m", "celery", "-A", "tests.faults.held_tasks", "worker", *options, *quiet]
        places = {"HELD": str(self.held), "MACHINES": str(self.settings.home / "machines.log")}
        return self._start("worker", [sys.executable, *argv], **places, **variables)

    def beat(self, **variables: str) -> Process:
        """Start beat as the service does."""
        scheduler = ("--scheduler", "farm_workers.beat.SteadyScheduler")
        argv = [sys.executable, "-m", "celery", "-A", "farm_workers.beat", "beat", *scheduler]
        return self._start("beat", argv, **variables)

    def server(self, port: int) -> Process:
        """Start the API, and wait until it answers."""
        argv = [sys.executable, "-m", "farm_api.server", "--port", str(port)]
        process = self._start("server", argv)

        def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                url = f"http://127.0.0.1:{port}/healthz"
                return httpx.get(url, timeout=5, trust_env=False).status_code == 200
            return False

        wait_for(answers)
        return process

    def _start(self, name: str, argv: list[str], **variables: str) -> Process:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "C_FORCE_ROOT": "1",
            "WHEELFARM_HOME": str(self.settings.home),
            "WHEELFARM_DATABASE_URL": self.settings.database_url,
            "WHEELFARM_SYSTEMS": "debian-12",
            "WHEELFARM_SLOTS": "2",
            "WHEELFARM_GIT_FILES": "true",
            **self.variables,
            **variables,
        }
        with (self.settings.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def submit(self, tests: str = TWO_TESTS, *, folder: Path | None = None, lost: bool = False) -> None:
        """A run with one job, of that test file or of a folder; with `lost` its ticket is never sent."""
        self.jobs += 1
        folder = folder or project(self.settings.home / f"project-{self.jobs}", {"test_it.py": tests})
        with self.engine() as app:
            runs.submit(self.database, Sent() if lost else app, self.settings, str(folder), Narrowing())

    def await_worker(self) -> None:
        """Wait until a worker waits for messages."""
        wait_for(lambda: worker_waits(self.settings))

    @contextlib.contextmanager
    def engine(self) -> Iterator[Celery]:
        """The engine as a client has it."""
        app = celery_app(self.settings)
        try:
            yield app
        finally:
            app.close()

    def attempts(self) -> list[Attempt]:
        """All attempts, oldest first."""
        with self.database.read() as session:
            return list(session.exec(select(Attempt).order_by(Attempt.leased)))

    def await_attempt(self, number: int) -> None:
        """Wait until that many attempts have begun: the farm goes on, within the time that it has for it."""
        wait_for(lambda: len(self.attempts()) >= number, RECOVERS_SECONDS)

    def job_states(self) -> list[JobState]:
        """The states of all jobs."""
        with self.database.read() as session:
            return list(session.exec(select(Job.state)))

    def verdicts(self) -> list[Verdict | None]:
        """The verdicts of all jobs, oldest first."""
        with self.database.read() as session:
            return list(session.exec(select(Job.verdict).order_by(Job.created)))

    def ended(self) -> bool:
        """Whether every run has ended."""
        with self.database.read() as session:
            return {run.state for run in session.exec(select(Run))} == {RunState.FINISHED}

    def machines(self) -> list[str]:
        """All machines so far, oldest first: the folder of an agent, or the id of a real one."""
        log = self.settings.home / "machines.log"
        return log.read_text().splitlines() if log.exists() else []

    def agents(self) -> list[int]:
        """The agents of this farm that live: its stand-ins for machines."""
        marks = [f"--root\0{folder}\0".encode() for folder in self.machines()]
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes()
                if any(mark in words for mark in marks):
                    found.append(int(path.parent.name))
        return found

    def check_record(self, *, tests: int = 2) -> None:
        """No job lost, and none recorded twice: each passed once, in its last attempt, with each of its tests once."""
        with self.database.read() as session:
            jobs = list(session.exec(select(Job)))
            assert len(jobs) == self.jobs
            for job in jobs:
                tries = session.exec(select(Attempt).where(Attempt.job_id == job.id)).all()
                *before, last = sorted(tries, key=lambda each: each.number)
                assert (job.state, job.verdict) == (JobState.FINISHED, Verdict.PASSED), (job, tries)
                assert [each.verdict for each in before] == [Verdict.FARM_ERROR] * len(before), tries
                assert last.verdict is Verdict.PASSED
                rows = session.exec(select(Test).where(Test.attempt_id == last.id)).all()
                assert len(rows) == len({(row.environment, row.name) for row in rows}) == tests
                assert job.tests_total == tests

    def stop(self) -> None:
        """End whatever still runs, last started first."""
        for process in reversed(self.processes):
            kill(process)


def kill(process: Process) -> None:
    """Kill -9, and take note of the end."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
