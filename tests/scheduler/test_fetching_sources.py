"""Sources: an index of our own that can be behind, slow or broken, folders, and unsafe archives."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm_scheduler.errors import IndexUnavailableError, SourceError, TargetError
from farm_scheduler.project_files import read_archive
from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source
from farm_scheduler.targets import FolderTarget, ReleaseTarget, read_target


def sdist(name: str = "demo-1.0", files: dict[str, bytes] | None = None) -> bytes:
    """A tar.gz with one top folder."""
    return tar({f"{name}/{path}": content for path, content in (files or {"setup.py": b""}).items()})


def tar(files: dict[str, bytes], change: Callable[[tarfile.TarInfo], None] = lambda _: None) -> bytes:
    """A tar.gz of these files."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            change(member)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return sink.getvalue()


class Index:
    """A package index of one project; `answer` can be replaced to break it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.yanked: dict[str, str] = {}
        self.wrong_hash = False
        self.json = False
        self.release = threading.Event()
        self.hangs = False
        self.status = 200
        self.page: bytes | None = None
        self.drips: tuple[bytes, float] | None = None
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.serve(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if self.hangs:
            self.release.wait(30)
            return
        if self.drips is not None:
            self.drip(request, *self.drips)
            return
        kind, body = "text/html", b""
        status = self.status
        if request.path == "/simple/demo/":
            kind, body = self.listing()
        elif request.path.startswith("/files/"):
            kind, body = "application/octet-stream", self.files[request.path.rpartition("/")[2]]
        else:
            status = 404
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def drip(self, request: BaseHTTPRequestHandler, start: bytes, pause: float) -> None:
        """Send the start of an answer, then a byte now and then, until nobody listens."""
        with contextlib.suppress(OSError):
            request.wfile.write(start)
            while not self.release.wait(pause):
                request.wfile.write(b"x")

    def listing(self) -> tuple[str, bytes]:
        """The project's page."""
        if self.page is not None:
            kind = "application/vnd.pypi.simple.v1+json" if self.json else "text/html"
            return kind, self.page
        if self.json:
            return "application/vnd.pypi.simple.v1+json", json.dumps(
                {"files": [*map(self._file, self.files)]}
            ).encode()
        anchors = [self._anchor(name) for name in self.files]
        return "text/html", f"<!DOCTYPE html><html><body>{''.join(anchors)}</body></html>".encode()

    def _sha256(self, name: str) -> str:
        return "0" * 64 if self.wrong_hash else hashlib.sha256(self.files[name]).hexdigest()

    def _file(self, name: str) -> dict[str, Any]:
        hashes = {"sha256": self._sha256(name)}
        return {
            "filename": name,
            "url": f"/files/{name}",
            "hashes": hashes,
            "yanked": self.yanked.get(name, False),
        }

    def _anchor(self, name: str) -> str:
        yanked = f' data-yanked="{self.yanked[name]}"' if name in self.yanked else ""
        return f'<a href="../../files/{name}#sha256={self._sha256(name)}"{yanked}>{name}</a>'


@pytest.fixture
def index() -> Iterator[Index]:
    """A running index."""
    index = Index()
    yield index
    index.release.set()
    index.server.shutdown()
    index.server.server_close()


@pytest.fixture
def settings(tmp_path: Path, index: Index) -> Settings:
    """A farm that uses it."""
    return Settings(home=tmp_path / "home", index_url=index.url, index_seconds=20, source_bytes=100_000)


def fetch(settings: Settings, target: str) -> Source:
    """Get what a target names; nothing half-made is left in the store."""
    try:
        return get_source(read_target(target), settings)
    finally:
        if settings.sources.exists():
            assert [path for path in settings.sources.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("as_json", [True, False])
def test_a_release_is_fetched_and_stored(index: Index, settings: Settings, as_json: bool) -> None:
    """The newest final sdist that is not yanked, from JSON or HTML, stored under its checksum."""
    index.json = as_json
    index.files = {
        f"demo-{version}.tar.gz": sdist(f"demo-{version}") for version in ("1.9", "1.10", "1.11", "2.0rc1")
    }
    index.files |= {"demo-1.10-py3-none-any.whl": b"", "other-9.tar.gz": b""}
    index.yanked = {"demo-1.11.tar.gz": "broken"}
    source = fetch(settings, "Demo")
    assert (source.project, source.version) == ("demo", "1.10")
    content = index.files["demo-1.10.tar.gz"]
    assert source.path == settings.sources / f"{hashlib.sha256(content).hexdigest()}.tar.gz"
    assert source.path.read_bytes() == content
    assert source.bytes == len(content)
    assert source.files.names == {"setup.py"}


def test_a_yanked_release_runs_with_a_note(index: Index, settings: Settings) -> None:
    """Asked for by version, a yanked release is taken, and the note has the reason."""
    index.files = {"demo-1.0.tar.gz": sdist()}
    index.yanked = {"demo-1.0.tar.gz": "a bug"}
    assert fetch(settings, "demo==1.0").notes == ("demo-1.0.tar.gz was yanked from the index: a bug",)


def test_a_zip_is_rewritten(index: Index, settings: Settings) -> None:
    """An old zip sdist becomes the one format that everything behind reads."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("demo-1.0/setup.py", "x")
        archive.writestr("demo-1.0/tox.ini", "[tox]\n")
    index.files = {"demo-1.0.zip": sink.getvalue()}
    source = fetch(settings, "demo==1.0")
    assert source.files.names == {"setup.py", "tox.ini"}
    assert source.files.text("tox.ini") == "[tox]\n"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nothing", "has no project nothing; check the spelling"),
        ("demo==1.1", "demo has no sdist of version 1.1; there is 1.10, 1.0"),
        ("demo==9", "demo has no sdist of version 9; there is 1.10"),
    ],
)
def test_what_is_not_there_is_told(index: Index, settings: Settings, target: str, message: str) -> None:
    """An unknown name or version is one sentence, with the nearest versions."""
    index.files = {"demo-1.0.tar.gz": sdist(), "demo-1.10.tar.gz": sdist("demo-1.10")}
    with pytest.raises(TargetError, match=message):
        fetch(settings, target)


def test_a_project_of_wheels_is_told(index: Index, settings: Settings) -> None:
    """Without any sdist the sentence says what to do."""
    index.files = {"demo-1.0-py3-none-any.whl": b""}
    with pytest.raises(TargetError, match="has no sdist on the index"):
        fetch(settings, "demo")


def test_a_wrong_checksum_is_refused(index: Index, settings: Settings) -> None:
    """A file that is not what the index announces is not used."""
    index.files = {"demo-1.0.tar.gz": sdist()}
    index.wrong_hash = True
    with pytest.raises(SourceError, match="sha256 differs"):
        fetch(settings, "demo")


def test_a_file_beyond_the_limit_is_refused(index: Index, settings: Settings) -> None:
    """A file that is larger than allowed is not read to its end."""
    index.files = {"demo-1.0.tar.gz": os.urandom(200_000)}
    with pytest.raises(SourceError, match="larger than 100000 bytes"):
        fetch(settings, "demo")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a tar", "damaged"),
        (sdist()[:-30], "damaged"),
        (b"", "damaged"),
        (tar({"a/x": b"", "b/x": b""}), "2 top folders"),
        (tar({"demo/../../x": b""}), "leaves its folder"),
        (tar({"/etc/passwd": b""}), "leaves its folder"),
        (tar({"demo/x": b""}, lambda m: setattr(m, "type", tarfile.CHRTYPE)), "device or pipe"),
        (tar({"demo/x": b""}, lambda m: setattr(m, "type", tarfile.FIFOTYPE)), "device or pipe"),
        (tar({f"demo/{'ä' * 128}": b""}), "name of 256 bytes"),
        (tar({"demo/a": b"", "demo/a/b": b""}), "'a' as a file and as a folder"),
        (tar({"demo/a/b": b"", "demo/a-c": b"", "demo/a": b""}), "'a' as a file and as a folder"),
    ],
)
def test_an_unsafe_archive_is_refused(index: Index, settings: Settings, content: bytes, message: str) -> None:
    """What is damaged, or would leave its folder, never gets a place in the store."""
    index.files = {"demo-1.0.tar.gz": content}
    with pytest.raises(SourceError, match=message):
        fetch(settings, "demo")
    assert list(settings.sources.iterdir()) == []


@pytest.mark.parametrize(
    ("link", "kind", "safe"),
    [
        ("../x", tarfile.SYMTYPE, True),
        ("../../x", tarfile.SYMTYPE, False),
        ("/etc/passwd", tarfile.SYMTYPE, False),
        ("x/../../../y", tarfile.SYMTYPE, False),
        ("demo/x", tarfile.LNKTYPE, True),
        ("../x", tarfile.LNKTYPE, False),
    ],
)
def test_links_stay_inside(tmp_path: Path, link: str, kind: bytes, safe: bool) -> None:
    """A link may point anywhere below the top folder, and nowhere else."""

    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = kind, link, 0

    path = tmp_path / "a.tar.gz"
    path.write_bytes(tar({"demo/sub/link": b""}, change))
    if safe:
        assert read_archive(path).names == {"sub/link"}
    else:
        with pytest.raises(SourceError, match="link that leaves its folder"):
            read_archive(path)


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    """A header that claims gigabytes ends the reading."""
    path = tmp_path / "a.tar.gz"
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for number in range(3):
            member = tarfile.TarInfo(f"demo/{number}")
            member.type, member.size = tarfile.REGTYPE, 0
            member.pax_headers = {}
            archive.addfile(member)
    raw = bytearray(gzip.decompress(sink.getvalue()))
    raw[124:136] = b"77777777777\0"
    raw[148:156] = b"        "
    raw[148:156] = f"{sum(raw[:512]):06o}\0 ".encode()
    path.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(SourceError):
        read_archive(path)


def test_an_index_that_hangs_is_told(index: Index, settings: Settings) -> None:
    """No answer in time is the index's fault, not the person's."""
    index.hangs = True
    with pytest.raises(IndexUnavailableError, match="did not answer within 2 s"):
        fetch(settings.model_copy(update={"index_seconds": 2.0}), "demo")


@pytest.mark.parametrize("status", [500, 503, 403])
def test_an_index_that_fails_is_told(index: Index, settings: Settings, status: int) -> None:
    """Any other answer is told with its number."""
    index.status = status
    with pytest.raises(IndexUnavailableError, match=str(status)):
        fetch(settings, "demo")


def test_an_index_that_is_none_is_told(index: Index, settings: Settings) -> None:
    """A page that is no page of an index is told."""
    index.page = b"hello"
    with pytest.raises(IndexUnavailableError, match="no page of a package index"):
        fetch(settings, "demo")


@pytest.mark.parametrize(
    ("as_json", "page"),
    [
        (True, b'{"meta": {"api-version": "2.0"}, "files": []}'),
        (False, b'<meta name="pypi:repository-version" content="2.0"><a href="demo-1.0.tar.gz">x</a>'),
    ],
)
def test_an_index_of_the_future_is_told(index: Index, settings: Settings, as_json: bool, page: bytes) -> None:
    """A page that says a later major version is not guessed at (PEP 629)."""
    index.json, index.page = as_json, page
    with pytest.raises(IndexUnavailableError, match=r"version '2\.0' of the simple API"):
        fetch(settings, "demo")


@pytest.mark.parametrize("body", [b"[" * 500_000, b'{"files":' * 200_000, b"null", b'{"files": [[]]}'])
def test_a_hostile_page_is_told(index: Index, settings: Settings, body: bytes) -> None:
    """JSON that is nested without end, or is no page, is one sentence like any other answer that is no page."""
    index.json, index.page = True, body
    with pytest.raises(IndexUnavailableError, match="no page of a package index") as found:
        fetch(settings, "demo")
    assert len(found.value.sentence) < 300


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9999\r\n\r\n<html>",
    ],
)
def test_an_index_that_drips_is_told(index: Index, settings: Settings, start: bytes) -> None:
    """Bytes that come one by one, in the head or in the body, end after three times the allowed silence."""
    index.drips = (start, 0.2)
    began = time.monotonic()
    with pytest.raises(IndexUnavailableError, match="is too slow"):
        fetch(settings.model_copy(update={"index_seconds": 2.0}), "demo")
    assert 5 < time.monotonic() - began < 25


def test_no_index_at_all_is_told(tmp_path: Path) -> None:
    """A port where nothing listens is told with what to check."""
    settings = Settings(home=tmp_path, index_url="http://127.0.0.1:9/simple/", index_seconds=2)
    with pytest.raises(IndexUnavailableError, match="check WHEELFARM_INDEX_URL"):
        fetch(settings, "demo")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Demo_Project", ReleaseTarget),
        ("demo==1.0", ReleaseTarget),
        (".", FolderTarget),
    ],
)
def test_targets_are_told_apart(text: str, expected: type) -> None:
    """A name, a name with a version, and a folder."""
    assert isinstance(read_target(text), expected)


@pytest.mark.parametrize(
    "text", ["demo==", "a b", "demo>=1", "==1", "demo==x y", "./nothing", "../nothing", "-x"]
)
def test_no_target_is_told(text: str) -> None:
    """Anything else is one sentence."""
    with pytest.raises(TargetError):
        read_target(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_target_is_refused(text: str) -> None:
    """A variable that is not set does not run the folder that one stands in."""
    with pytest.raises(TargetError, match="is no target"):
        read_target(text)
