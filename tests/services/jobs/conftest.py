"""Machines for tests of the hands: the real agent as a process of this host, or real machines.

What is tested through the fixture `hands` runs against the real agent on a unix socket. With
`WHEELFARM_TEST_HOME` (the home of a farm whose holder is up and whose image is ready) it runs against real
machines as well: one suite for both.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.services.agent_process import fill_guest, start_agent
from tests.stored_image import store_image

from farm_images import catalogue
from farm_images.guest import greet
from farm_scheduler.database import Database
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image
from farm_workers.leases import Lease
from farm_workers.machines import Machines, holder_machines
from farm_workers.run import Hands

REAL_HOME = "WHEELFARM_TEST_HOME"


def end_processes_below(root: Path) -> None:
    """End what an agent that was killed could not: the processes that know this temporary folder."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{root}/".encode() in path.read_bytes() + (path.parent / "cmdline").read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


class AgentMachines:
    """Gives the real agent, unprivileged, as if it were a machine.

    Attributes:
        processes: the agents so far; the last one is at work.
        before: called with the channel before it is given, to break it.
        holder: the holder's end of the last lease.
    """

    holder: socket.socket

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.before: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def __call__(self, image: catalogue.Image, progress: Callable[[str], None]) -> Iterator[Lease]:
        """A machine of any image."""
        del image
        progress("starting an agent")
        with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name:
            root = Path(name)
            fill_guest(root, "uv")
            process, channel = start_agent(root)
            self.processes.append(process)
            try:
                self.holder, connection = socket.socketpair()
                with channel, connection, self.holder:
                    began = time.monotonic()
                    greet(channel, timeout=30)
                    self.before()
                    yield self._lease(channel, connection, time.monotonic() - began)
            finally:
                # The channel is closed: the agent ends as a machine would, with everything that it started. One that
                # a test stopped cannot; it is destroyed, as a machine is.
                try:
                    if "\nState:\tT" in Path(f"/proc/{process.pid}/status").read_text():
                        process.kill()
                    process.wait(timeout=15)
                finally:
                    process.kill()
                    end_processes_below(root)

    @staticmethod
    def _lease(channel: socket.socket, connection: socket.socket, seconds: float) -> Lease:
        return Lease(
            channel=channel,
            connection=connection,
            machine_id="m-agent",
            accelerator="none",
            accelerator_reason="a process of this host",
            warm=False,
            cloned=False,
            answered_seconds=seconds,
            seconds={},
        )


def interpreter_rows() -> list[dict[str, object]]:
    """This Python as the only interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    return [{"path": sys.executable, "version": version, "implementation": "cpython", "works": True}]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A farm in a temporary home."""
    for name in ("TOX_OVERRIDE", "TOX_TESTENV_PASSENV", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings(
        home=tmp_path / "home", job_seconds=60, systems=("debian-12",), pyenv_root=None, python_mirror=""
    )
    settings.prepare()
    return settings


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Its record, with one image."""
    database = Database(settings.record_url)
    upgrade(database)
    yield database
    database.close()


def _real_machines(settings: Settings) -> tuple[Machines, str, list[dict[str, object]]]:
    real = Settings(home=Path(os.environ[REAL_HOME]))
    image = catalogue.newest(real.images, "debian-12")
    assert image is not None, "the farm in WHEELFARM_TEST_HOME has no image"
    settings.images.rmdir()
    settings.images.symlink_to(real.images)
    rows = [
        {"path": i.path, "version": i.version, "implementation": "cpython", "works": True}
        for i in image.interpreters
    ]
    return holder_machines(real), image.digest, rows


@pytest.fixture(params=["agent process", *(["machine"] if REAL_HOME in os.environ else [])])
def hands(request: pytest.FixtureRequest, settings: Settings, database: Database) -> Hands:
    """What a worker works with; `hands.machines` is an AgentMachines or the holder's."""
    if request.param == "machine":
        machines, digest, rows = _real_machines(settings)
    else:
        # Only an agent process can start from it.
        store_image(settings.images, digest="0" * 64, baked=time.time())
        machines, digest, rows = AgentMachines(), "0" * 64, interpreter_rows()
    with database.write() as session:
        session.add(Image(name="debian-12", state=ImageState.READY, digest=digest, interpreters=rows))
    return Hands(settings=settings, database=database, machines=machines)
