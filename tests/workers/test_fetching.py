"""Fetching: servers that never answer take neither all threads of a worker nor the place of what is here."""

import hashlib
import io
import socket
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from farm_cli import children
from farm_scheduler import submissions
from farm_scheduler.access_tables import ArchiveKind, Submission, SubmissionState, Upload, UploadState
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import IndexUnavailableError
from farm_scheduler.event_tables import Event
from farm_scheduler.fetch_queue import LOOKED_AT, OF_HOST, OF_KIND, OF_OWNER, Fetch, next_fetch
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, Project, now
from farm_scheduler.triggers import Trigger
from farm_workers import fetching
from farm_workers.machines import holder_machines
from farm_workers.run import Hands
from farm_workers.tasks import _Tasks


class Tarpit:
    """A server that takes connections and never answers."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.held: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self.held.append(self.socket.accept()[0])

    def close(self) -> None:
        """End them all."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        while self.held:
            self.held.pop().close()


@pytest.fixture
def tarpit() -> Iterator[Tarpit]:
    """A running one."""
    found = Tarpit()
    yield found
    found.close()


@pytest.fixture
def settings(tmp_path: Path, record_url: str, tarpit: Tarpit) -> Settings:
    """A small farm that may ask the tarpit, and gives up late."""
    found = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        redis_url="memory://",
        systems=("debian-12",),
        pyenv_root=None,
        slots=1,
        git_hosts=(tarpit.host,),
        git_seconds=25,
    )
    found.prepare()
    return found


def worker(database: Database, settings: Settings) -> _Tasks:
    """A worker's tasks; what it publishes goes nowhere."""
    hands = Hands(settings=settings, database=database, machines=holder_machines(settings))
    return _Tasks(hands, celery_app(settings), threading.Event())


def ask(database: Database, number: int, target: str, actor: str, upload: str | None = None) -> str:
    """A wish, later than those with smaller numbers; its id."""
    with database.write() as session:
        created = now() - timedelta(hours=1) + timedelta(seconds=number)
        wish = Submission(id=f"r-{number}", actor=actor, target=target, upload_id=upload, created=created)
        wish.published = now()
        session.add(wish)
        return wish.id


def send_folder(database: Database, settings: Settings) -> str:
    """An uploaded folder; its id."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in (
            ("pyproject.toml", '[project]\nname = "demo"\nversion = "1"\n'),
            ("test_a.py", ""),
        ):
            entry = tarfile.TarInfo(f"source/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    content = stream.getvalue()
    (settings.uploads / "u-1").write_bytes(content)
    with database.write() as session:
        interpreters = [{"version": "3.11.2", "implementation": "cpython", "works": True, "path": ""}]
        session.add(Image(name="debian-12", state=ImageState.READY, digest="d", interpreters=interpreters))
        upload = Upload(id="u-1", actor="t-0", name="demo", kind=ArchiveKind.FOLDER, bytes=len(content))
        upload.sha256, upload.received = hashlib.sha256(content).hexdigest(), len(content)
        upload.state = UploadState.COMPLETE
        session.add(upload)
    return "u-1"


def state(database: Database, run_id: str) -> SubmissionState:
    """Where a wish stands."""
    with database.read() as session:
        return session.get_one(Submission, run_id).state


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it comes to be."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_a_tarpit_holds_up_neither_the_sweep_nor_a_folder(
    record: Database, settings: Settings, tarpit: Tarpit
) -> None:
    """With many wishes and an event that hang at servers of git, the sweep goes round and an upload becomes a run."""
    tasks = worker(record, settings)
    argv = children.worker(settings).argv
    url = f"http://{tarpit.host}/me"
    wishes = [ask(record, n, f"git+{url}/x{n}.git@main", f"t-{n % 6}") for n in range(24)]
    with record.write() as session:
        session.add(Project(id="p-1", name="demo"))
        session.flush()
        session.add(
            Event(project_id="p-1", trigger=Trigger.PUSH, target=f"git+{url}/y.git", revision="a" * 40)
        )
    with ThreadPoolExecutor(int(argv[argv.index("--concurrency") + 1])) as pool:
        begun = [pool.submit(tasks.submission, each) for each in wishes]
        begun.append(pool.submit(tasks.event, "e"))
        try:
            assert wait_for(lambda: len(tarpit.held) == OF_HOST)
            folder = ask(record, 99, "./demo", "t-0", send_folder(record, settings))
            begun.append(pool.submit(tasks.submission, folder))
            swept = pool.submit(tasks.sweep)
            swept.result(timeout=15)
            assert wait_for(lambda: state(record, folder) is SubmissionState.ACCEPTED)
            assert len(tarpit.held) == OF_HOST
            assert any(state(record, each) is SubmissionState.WAITING for each in wishes)
        finally:
            with record.write() as session:  # what hangs has an end, and nothing new begins
                for each in wishes:
                    session.get_one(Submission, each).state = SubmissionState.REFUSED
            tarpit.close()
        for each in begun:
            each.result(timeout=60)


def test_what_found_no_place_is_fetched_by_who_has_one(
    record: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is dropped leaves its wish to whoever is at work, in the order in which they came."""
    go, order = threading.Event(), []

    def carry_out(database: Database, _app: object, _settings: Settings, run_id: str, **_: object) -> None:
        order.append(run_id)
        assert go.wait(20)
        with database.write() as session:
            session.get_one(Submission, run_id).state = SubmissionState.ACCEPTED

    monkeypatch.setattr(fetching, "carry_out", carry_out)
    tasks = worker(record, settings)
    ids = [ask(record, n, "six", "t-1") for n in range(5)]
    with ThreadPoolExecutor(5) as pool:
        begun = [pool.submit(tasks.submission, each) for each in reversed(ids)]
        assert wait_for(lambda: sum(each.done() for each in begun) == 5 - OF_OWNER)
        assert sorted(order) == ids[:OF_OWNER]
        go.set()
        for each in begun:
            each.result(timeout=20)
    assert sorted(order) == ids


def all_that_may_begin(database: Database, at_work: list[Fetch]) -> list[Fetch]:
    """What begins beside this, in its order."""
    begun = len(at_work)
    while (found := next_fetch(database, at_work)) is not None:
        at_work.append(found)
    return at_work[begun:]


def push(database: Database, project: str, number: int, target: str, tries: int = 0) -> str:
    """A push that waits, as `ask`; its id."""
    with database.write() as session:
        session.merge(Project(id=f"p-{project}", name=project))
        session.flush()
        created = now() - timedelta(hours=1) + timedelta(seconds=number)
        event = Event(project_id=f"p-{project}", trigger=Trigger.PUSH, target=target, created=created)
        event.revision, event.tries = "a" * 40, tries
        session.add(event)
        return event.id


def test_nobody_has_all_places(record: Database) -> None:
    """One token, and all that asks git, have so many places; what is here or waits for another has the rest."""
    for number in range(3 * LOOKED_AT):
        ask(record, number, f"git+https://h{number}.example/x", "greedy")
    for number in range(OF_KIND - 2):
        ask(record, 500 + number, f"git+https://g{number}.example/x", f"t-{number}")
    at_work: list[Fetch] = []
    begun = all_that_may_begin(record, at_work)
    assert Counter(each.owner for each in begun)["greedy"] == OF_OWNER
    assert len(begun) == OF_KIND
    ask(record, 900, "six", "greedy")
    assert [each.owner for each in all_that_may_begin(record, at_work)] == ["greedy"]


def test_a_silent_host_has_so_many_places(record: Database) -> None:
    """Two tokens and a project that ask one tarpit hold up nobody's push to another host."""
    for number in range(10):
        for owner in ("t-1", "t-2"):
            ask(record, 10 * number + int(owner[-1]), f"git+https://me@Tar.example:{number + 1}/x", owner)
        push(record, "evil", number, "git+https://tar.example/y")
    at_work: list[Fetch] = []
    assert len(all_that_may_begin(record, at_work)) == OF_HOST
    victim = push(record, "vic", 999, "git+https://git.example/vic")
    assert [each.id for each in all_that_may_begin(record, at_work)] == [victim]


def test_who_has_nothing_at_work_is_next(record: Database) -> None:
    """Who has the least at work goes first, then what never was tried; a project's tokens are the project."""
    push(record, "old", 0, "git+https://a.example/x", tries=3)
    for number in range(3):
        push(record, "evil", 10 + number, f"git+https://b{number}.example/x")
    wish = ask(record, 11, "git+https://c.example/x", "t-1")
    with record.write() as session:
        session.get_one(Submission, wish).scope = "evil"
    push(record, "vic", 100, "git+https://d.example/x")
    begun = all_that_may_begin(record, [])
    assert [each.owner for each in begun] == ["evil", "vic", "old", "evil"]


def test_one_owner_has_no_server_to_himself(record: Database) -> None:
    """Beside one token's many wishes another's push to the same server begins, also one that was tried before."""
    for number in range(3 * OF_HOST):
        ask(record, number, "git+https://git.example/big", "t-1")
    victim = push(record, "vic", 999, "git+https://git.example/vic", tries=1)
    begun = all_that_may_begin(record, [])
    assert [each.owner for each in begun] == ["t-1", "vic", "t-1"]
    assert begun[1].id == victim


def test_what_failed_by_nobodys_fault_rests(
    record: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wish that the index did not answer waits with its tries, and another comes first."""

    def fail(*_: object) -> None:
        raise IndexUnavailableError("the index does not answer")

    monkeypatch.setattr(submissions, "get_source", fail)
    wish = ask(record, 1, "six", "t-1")
    worker(record, settings).submission(wish)
    assert (state(record, wish), next_fetch(record, ())) == (SubmissionState.WAITING, None)
    with record.read() as session:
        assert session.get_one(Submission, wish).tries == 1
    other = ask(record, 2, "six", "t-1")
    found = next_fetch(record, ())
    assert found is not None
    assert found.id == other
