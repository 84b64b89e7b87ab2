"""The API as a process, with a real Redis and a real worker: what a person elsewhere sees, also when processes die."""

import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from farm_scheduler.database import Database
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.settings import Settings
from farm_scheduler.tokens import make_token
from wheelfarm_client import Farm

from ..services.test_engine_tasks import wait_for

Started = Callable[..., "subprocess.Popen[bytes]"]


class Server:
    """The API's process at a port that stays."""

    def __init__(self, settings: Settings) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it answers."""
        argv = [sys.executable, "-m", "farm_api.server", "--port", str(self.port)]
        environment = {**os.environ, "WHEELFARM_HOME": str(self._settings.home)}
        with (self._settings.logs / "api.log").open("ab") as log:
            self.process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
        wait_for(self._answers)

    def kill(self) -> None:
        """As a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)

    def _answers(self) -> bool:
        try:
            return httpx.get(self.url + "/healthz", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def server(settings: Settings, database: Database, redis: object) -> Iterator[Server]:
    """The API, running; gone afterwards."""
    del database, redis
    server = Server(settings)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def token(database: Database) -> str:
    """A submitter's token."""
    with database.write() as session:
        return make_token(session, LOCAL, name="person", role=Role.SUBMITTER)[1]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three Pythons."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "tox.ini").write_text("[tox]\nenv_list = py310, py311, py312\n")
    return folder


def test_a_folder_is_run_on_a_farm_elsewhere(
    server: Server,
    worker: Started,
    token: str,
    project: Path,
    tmp_path: Path,
) -> None:
    """`wheelfarm run FOLDER --server` sends it, a worker checks it, and the run ends as expected."""
    worker()
    environment = {
        **os.environ, "WHEELFARM_TOKEN": token, "WHEELFARM_HOME": str(tmp_path / "person"),
    }  # fmt: skip
    program = str(Path(sys.executable).with_name("wheelfarm"))
    argv = [program, "run", str(project), "--server", server.url, "--json"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (summary["exit_code"], summary["verdicts"]) == (0, {"passed": 3})


def test_an_upload_outlives_the_server(server: Server, token: str, tmp_path: Path) -> None:
    """A server that is killed between two pieces loses none of those that it has answered."""
    path = tmp_path / "demo.tar.gz"
    text = os.urandom(300_000)
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("source/data")
        entry.size = len(text)
        archive.addfile(entry, BytesIO(text))
    told: list[int] = []

    def killing(received: int, _size: int) -> None:
        told.append(received)
        if len(told) == 2:
            server.kill()
            threading.Timer(1.0, server.start).start()

    with Farm(server.url, token, retries=8) as farm:
        found = farm.send_file(path, "folder", piece_bytes=50_000, progress=killing)
    assert (found.state, found.received) == ("complete", path.stat().st_size)
    assert told == sorted(set(told))


def test_live_events_outlive_the_server(
    server: Server,
    worker: Started,
    token: str,
    project: Path,
    tmp_path: Path,
) -> None:
    """A stream goes on after a kill of the server, up to the end of the run."""
    worker(takes=3.0)
    path = tmp_path / "project.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(project, "source")
    kinds: list[str] = []
    with Farm(server.url, token, retries=8) as farm:
        upload = farm.send_file(path, "folder", name="project")
        run = farm.wait_for_run(farm.start_run("./project", upload=upload.id).id)
        for event in farm.watch_run(run.id):
            kinds.append(event.kind)
            if len(kinds) == 2:
                server.kill()
                threading.Timer(0.5, server.start).start()
        assert farm.get_run(run.id).exit_code == 0
    assert kinds[0] == "report"
    assert kinds.count("report") >= 2
    assert kinds[-1] == "end"


def test_a_submission_outlives_the_queue(
    server: Server,
    worker: Started,
    redis: object,
    token: str,
    project: Path,
    tmp_path: Path,
) -> None:
    """What is asked for while Redis is dead is answered at once, and carried out when it is back."""
    path = tmp_path / "project.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(project, "source")
    with Farm(server.url, token) as farm:
        upload = farm.send_file(path, "folder", name="project")
        redis.process.kill()  # type: ignore[attr-defined]  # the fixture's class is not imported
        redis.process.wait(timeout=10)  # type: ignore[attr-defined]  # as above
        began = time.monotonic()
        wish = farm.start_run("./project", upload=upload.id)
        assert wish.state == "waiting"
        assert time.monotonic() - began < 20
        redis.settings.redis_socket.unlink(missing_ok=True)  # type: ignore[attr-defined]  # as above
        redis.start()  # type: ignore[attr-defined]  # as above
        worker()
        assert farm.wait_for_run(wish.id).id == wish.id
