"""The watcher of releases, on an index of the tests' own that can be behind, slow or broken."""

import hashlib
import io
import json
import tarfile
import threading
import xmlrpc.client
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from farm_scheduler.database import Database
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.events import handle_event
from farm_scheduler.projects import add_project, find_project
from farm_scheduler.release_watch import (
    follow,
    follow_pattern,
    look_around,
    unfollow,
    unfollow_pattern,
)
from farm_scheduler.settings import Settings
from farm_scheduler.simple_index import Listing, SimpleIndex
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, Project, Run, now
from farm_scheduler.watch_tables import Changelog, Watch

LONG_AGO = "2020-01-01T00:00:00.5Z"


class Sent:
    """An engine that takes every message."""

    def send_task(self, *_: object, **__: object) -> None:
        """Take one message."""


def sdist(version: str) -> bytes:
    """A release of demo."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"demo-{version}/tox.ini")
        content = b"[tox]\nenv_list = py311\n"
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return sink.getvalue()


class Index:
    """An index of one project, with a changelog; its switches may be changed while it serves."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.serial = 100
        self.status = 200
        self.broken = b""
        self.etag = ""
        self.empty = False
        self.uploaded: dict[str, str] = {}
        self.tells_times = True
        self.hang: threading.Event | None = None
        self.requests: list[tuple[str, int]] = []
        self.log: list[tuple[str, str | None, int, str, int]] = []
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.serve(self)

            def do_POST(self) -> None:
                index.call(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def release(self, version: str, name: str = "demo") -> None:
        """Upload an sdist."""
        self.serial += 1
        if name == "demo":
            self.versions.append(version)
        self.log.append((name, version, 0, f"add source file {name}-{version}.tar.gz", self.serial))

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """A page or a file."""
        if self.hang is not None:
            self.hang.wait(10)
        status, body = self.status, self.broken
        etag = self.etag or f'"{self.serial}-{len(self.versions)}"'
        if status == 200 and not body:
            if request.path.startswith("/files/"):
                body = sdist(request.path.rpartition("-")[2].removesuffix(".tar.gz"))
            elif request.path != "/simple/demo/" or (not self.versions and not self.empty):
                status = 404
            elif request.headers.get("If-None-Match") == etag:
                status = 304
            else:
                body = json.dumps({"files": [self.file(version) for version in self.versions]}).encode()
        self.requests.append((request.path, status))
        request.send_response(status)
        request.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        request.send_header("ETag", etag)
        request.send_header("X-PyPI-Last-Serial", str(self.serial))
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def file(self, version: str) -> dict[str, Any]:
        """One file of the page."""
        name = f"demo-{version}.tar.gz"
        return {
            "filename": name,
            "url": f"/files/{name}",
            "hashes": {"sha256": hashlib.sha256(sdist(version)).hexdigest()},
            "upload-time": self.uploaded.get(version, LONG_AGO) if self.tells_times else None,
        }

    def call(self, request: BaseHTTPRequestHandler) -> None:
        """XML-RPC."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        arguments, method = xmlrpc.client.loads(body)
        if method == "changelog_last_serial":
            found: Any = self.serial
        else:
            found = [entry for entry in self.log if entry[4] > int(str(arguments[0]))]
        answer = self.broken or xmlrpc.client.dumps((found,), methodresponse=True, allow_none=True).encode()
        request.send_response(self.status)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)


@pytest.fixture
def index() -> Iterator[Index]:
    """A running index."""
    found = Index()
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    if found.hang is not None:
        found.hang.set()
    found.http.shutdown()
    found.http.server_close()
    thread.join(timeout=10)


class Farm:
    """A farm that follows demo."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database = database
        self.settings = settings
        with database.write() as session:
            follow(session, add_project(session, "demo", None, None))
            interpreters = [{"version": "3.11.2", "implementation": "cpython", "works": True, "path": ""}]
            session.add(
                Image(name="debian-12", state=ImageState.READY, digest="d", interpreters=interpreters)
            )

    def look(self) -> list[str]:
        """What is new, by its target, after the pause is over."""
        self.forward()
        new = list(look_around(self.database, self.settings))
        with self.database.read() as session:
            return [session.get_one(Event, each).target for each in new]

    def forward(self) -> None:
        """Let every pause be over."""
        with self.database.write() as session:
            for row in [*session.exec(select(Watch)), *session.exec(select(Changelog))]:
                row.next_look = now() - timedelta(seconds=1)
            for event in session.exec(select(Event)):
                event.not_before = None

    def watch(self) -> Watch:
        """What is known of demo."""
        with self.database.read() as session:
            return session.exec(select(Watch)).one()


@pytest.fixture
def farm(tmp_path: Path, record: Database, record_url: str, index: Index) -> Farm:
    """A farm that uses the index."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        systems=("debian-12",),
        pyenv_root=None,
        index_url=f"{index.url}/simple/",
        changelog_url=f"{index.url}/pypi",
        index_seconds=1,
    )
    settings.prepare()
    return Farm(record, settings)


def test_what_is_there_is_known_and_what_comes_is_new(farm: Farm, index: Index) -> None:
    """The first look takes what is there as known; every later version is one event, once."""
    index.release("1.0")
    assert farm.look() == []
    index.release("1.1")
    index.release("2.0rc1")
    assert farm.look() == ["demo==1.1", "demo==2.0rc1"]
    assert farm.look() == []


def test_an_unchanged_page_is_asked_for_conditionally(farm: Farm, index: Index) -> None:
    """A page that has not changed is not sent again, and nobody is asked before the pause is over."""
    index.release("1.0")
    farm.look()
    farm.look()
    assert [status for _, status in index.requests] == [200, 304]
    assert list(look_around(farm.database, farm.settings)) == []
    assert len(index.requests) == 2


def test_nothing_is_missed_while_the_farm_or_the_index_is_down(farm: Farm, index: Index) -> None:
    """What came during failures of every kind is new at the first look that succeeds."""
    index.release("1.0")
    farm.look()
    index.release("1.1")
    index.status = 503
    assert farm.look() == []
    assert "503" in str(farm.watch().note)
    index.status, index.broken = 200, b"<<<"
    assert farm.look() == []
    index.broken, index.hang = b"", threading.Event()
    assert farm.look() == []
    assert "did not answer" in str(farm.watch().note)
    index.hang.set()
    index.release("1.2")
    assert farm.look() == ["demo==1.1", "demo==1.2"]
    assert farm.watch().note is None


def test_a_mirror_that_is_behind_makes_nothing_new(farm: Farm, index: Index) -> None:
    """An older page than the last one is said to be one, and what it lacks is not new when it is back."""
    index.release("1.0")
    index.release("1.1")
    farm.look()
    index.serial -= 1
    gone = index.versions.pop()
    assert farm.look() == []
    assert "is behind" in str(farm.watch().note)
    index.versions.append(gone)
    index.release("1.2")
    assert farm.look() == ["demo==1.2"]


def test_one_wrong_serial_stops_nothing(farm: Farm, index: Index) -> None:
    """After a serial of another index, or of a broken answer, what is new on a page is new all the same."""
    index.release("1.0")
    farm.look()
    right, index.serial = index.serial, 30_000_000
    farm.look()
    index.serial = right
    index.release("1.1")
    assert farm.look() == ["demo==1.1"]
    assert "is behind" in str(farm.watch().note)
    index.release("1.2")
    assert farm.look() == ["demo==1.2"]
    assert farm.watch().note is None


def test_a_validator_that_cannot_be_sent_back_is_not(farm: Farm, index: Index) -> None:
    """A page whose ETag is no ASCII, or endless, is asked for whole each time."""
    index.release("1.0")
    for etag in ('"\xff"', '"' + "x" * 2000 + '"'):
        index.etag = etag
        assert farm.look() == []
        assert farm.look() == []
    assert {status for _, status in index.requests} == {200}
    assert farm.watch().note is None


def test_one_page_keeps_no_other_back(
    farm: Farm, index: Index, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody expected of a page is a note on its project, and the others are looked at."""
    index.release("1.0")
    farm.look()
    index.release("1.1")
    with farm.database.write() as session:
        bad = add_project(session, "bad", None, None)
        follow(session, bad)
        follow_pattern(session, "pytest-*")
    farm.look()
    index.release("2.0")
    index.release("1.0", "pytest-x")
    right = SimpleIndex.sdists

    def sdists(self: SimpleIndex, name: str, etag: str | None = None) -> Listing | None:
        if name == "bad":
            raise RuntimeError("nobody expected this")
        return right(self, name, etag)

    monkeypatch.setattr(SimpleIndex, "sdists", sdists)
    assert farm.look() == ["demo==2.0", "pytest-x==1.0"]
    with farm.database.read() as session:
        assert "failed unexpectedly" in str(session.get_one(Watch, bad.id).note)
    assert "nobody expected this" in caplog.text


def test_a_release_whose_file_is_not_there_yet_is_tried_again(farm: Farm, index: Index) -> None:
    """Where the file comes later than the news of it, the event waits, and becomes a run."""
    index.release("1.0")
    farm.look()
    index.release("1.1")
    assert farm.look() == ["demo==1.1"]
    index.versions.remove("1.1")
    with farm.database.read() as session:
        event = session.exec(select(Event)).one()
    handle_event(farm.database, Sent(), farm.settings, event.id, worker="host:1")  # type: ignore[arg-type]  # all of an engine that is used here
    with farm.database.read() as session:
        waiting = session.get_one(Event, event.id)
    assert waiting.state is EventState.WAITING
    assert "no sdist of version 1.1" in str(waiting.reason)
    index.versions.append("1.1")
    farm.forward()
    handle_event(farm.database, Sent(), farm.settings, event.id, worker="host:1")  # type: ignore[arg-type]  # the same
    with farm.database.read() as session:
        (run,) = session.exec(select(Run))
    assert (run.target, run.version, run.trigger) == ("demo==1.1", "1.1", "release")


def test_a_pattern_follows_the_changelog(farm: Farm, index: Index) -> None:
    """Uploads since the pattern was followed become events of projects that are made for them, each once."""
    index.release("1.0", "pytest-old")
    with farm.database.write() as session:
        assert follow_pattern(session, "pytest-*")
    assert farm.look() == []
    index.release("1.0", "pytest-x")
    index.release("1.00", "Pytest_X")
    index.release("2.0", "other")
    index.log.append(("pytest-y", "3", 0, "new release", 500))
    index.log.append(("pytest-z", "not a version", 0, "add source file z", 501))
    index.serial = 501
    assert farm.look() == ["pytest-x==1.0"]
    with farm.database.read() as session:
        assert session.get_one(Changelog, farm.settings.changelog_url).serial == 501
        names = sorted(session.exec(select(Project.name)))
    assert names == ["demo", "pytest-x"]


@pytest.mark.parametrize(
    "answer", [b"nonsense", b"<methodResponse/>", xmlrpc.client.dumps((5,), methodresponse=True)]
)
def test_a_broken_changelog_loses_nothing(farm: Farm, index: Index, answer: bytes | str) -> None:
    """An answer that is no changelog leaves the place in it, so that the next one brings what came."""
    with farm.database.write() as session:
        follow_pattern(session, "*")
    farm.look()
    index.release("1.0", "pytest-x")
    index.broken = answer.encode() if isinstance(answer, str) else answer
    farm.look()
    with farm.database.read() as session:
        assert session.get_one(Changelog, farm.settings.changelog_url).note is not None
    index.broken = b""
    assert "pytest-x==1.0" in farm.look()


def test_what_is_not_followed_any_more_is_not_asked_for(farm: Farm, index: Index) -> None:
    """Without anything to follow the index is left alone."""
    with farm.database.write() as session:
        follow_pattern(session, "x*")
        assert unfollow_pattern(session, "x*")
        assert not unfollow_pattern(session, "x*")
        assert unfollow(session, find_project(session, "demo"))
        assert not unfollow(session, find_project(session, "demo"))
    assert farm.look() == []
    assert index.requests == []
