"""A toy index of tiny wheels and sdists on loopback, which counts what it is asked for; and uv that knows only it."""

import base64
import hashlib
import io
import json
import shutil
import sys
import tarfile
import threading
import zipfile
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.pyenv import VERSIONS

from tox_wheelfarm.resolution import Folder, Question
from tox_wheelfarm.uv import Offline, Uv

JSON = "application/vnd.pypi.simple.v1+json"
OLD = ("python3.8", "python3.7", "python3.6")
BACKEND = """
import os, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    lines = open("PKG-INFO").read()
    name, version = [lines.split(f"\\n{key}: ")[1].split("\\n")[0] for key in ("Name", "Version")]
    info = f"{name}-{version}.dist-info"
    file = f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, file), "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", lines)
        told = "Wheel-Version: 1.0\\nGenerator: toy\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", told)
        wheel.writestr(f"{info}/RECORD", "")
    return file
"""


@dataclass
class File:
    """One file of the index, as its page tells it."""

    name: str
    body: bytes
    uploaded: str
    yanked: object = False

    @property
    def sha256(self):
        """Of its bytes."""
        return hashlib.sha256(self.body).hexdigest()


@dataclass
class ToyIndex:
    """The files by project, and what was asked for; `broken` answers 503 to everything."""

    url: str
    files: dict = field(default_factory=dict)
    documents: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)
    redirects: dict = field(default_factory=dict)
    html: bool = False
    broken: bool = False

    @property
    def simple(self):
        """Where its pages are."""
        return f"{self.url}/simple/"

    def release(self, name, version, *requires, extras=(), tag="py3-none-any", **told):
        """Add a wheel; `requires` may have markers such as `; extra == 'x'`."""
        self.add(
            name,
            File(f"{name}-{version}-{tag}.whl", wheel(name, version, requires, extras, tag), **_told(told)),
        )

    def source(self, name, version, *requires, builds_with=(), backend="", **told):
        """Add an sdist, built by a backend of its own or by one of the index."""
        body = sdist(name, version, requires, builds_with, backend)
        self.add(name, File(f"{name}-{version}.tar.gz", body, **_told(told)))

    def backend(self, name, version, *, fails=False, **told):
        """Add a wheel that is a build backend, or one that only fails."""
        body = (
            "def build_wheel(*_, **__):\n    raise SystemExit('the tool is too new')\n" if fails else BACKEND
        )
        self.add(
            name, File(f"{name}-{version}-py3-none-any.whl", wheel(name, version, code=body), **_told(told))
        )

    def add(self, name, file):
        """Add any file."""
        self.files.setdefault(name, []).append(file)

    def file(self, name, number=0):
        """One of the files of a project."""
        return self.files[name][number]

    def page(self, name):
        """PEP 691."""
        return {
            "meta": {"api-version": "1.1"},
            "name": name,
            "versions": [],
            "files": [
                {
                    "filename": file.name,
                    "url": f"{self.url}/files/{name}/{file.name}",
                    "hashes": {"sha256": file.sha256},
                    "size": len(file.body),
                    "upload-time": file.uploaded,
                    "yanked": file.yanked,
                    "core-metadata": file.name.endswith(".whl"),
                }
                for file in self.files[name]
            ],
        }

    def html_page(self, name):
        """PEP 503 and 592."""
        links = [
            f'<a href="../../files/{name}/{file.name}#sha256={file.sha256}"'
            + (
                f' data-yanked="{escape(file.yanked) if isinstance(file.yanked, str) else ""}"'
                if file.yanked
                else ""
            )
            + f">{file.name}</a>"
            for file in self.files[name]
        ]
        return "<!DOCTYPE html><html><body>" + "<br>\n".join(links) + "</body></html>"

    def answer(self, path):
        """Body and content type, or None."""
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "simple" and (name := rest.strip("/")) in self.files:
            if self.html:
                return self.html_page(name).encode(), "text/html"
            return json.dumps(self.page(name)).encode(), JSON
        if kind == "files":
            name, _, wanted = rest.partition("/")
            for file in self.files.get(name, ()):
                if file.name == wanted:
                    return file.body, "application/octet-stream"
                if f"{file.name}.metadata" == wanted:
                    return metadata_of(file.body), "application/octet-stream"
        return (self.documents[path], "text/plain") if path in self.documents else None


def _told(told):
    return {"uploaded": "2020-01-01T00:00:00Z", **told}


def metadata(name, version, requires=(), extras=()):
    """METADATA of a release."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras] + [
        f"Requires-Dist: {each}" for each in requires
    ]
    return "\n".join(lines) + "\n"


def wheel(name, version, requires=(), extras=(), tag="py3-none-any", code=""):
    """The bytes of a wheel."""
    info = f"{name}-{version}.dist-info"
    told = f"Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: {tag}\n"
    members = {
        f"{name}.py": code,
        f"{info}/METADATA": metadata(name, version, requires, extras),
    }
    members[f"{info}/WHEEL"] = told
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},{len(text)}\n"
        for path, text in members.items()
    )
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for path, text in {**members, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return body.getvalue()


def metadata_of(body):
    """METADATA out of a wheel (PEP 658)."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return next(archive.read(name) for name in archive.namelist() if name.endswith("/METADATA"))


def sdist(name, version, requires=(), builds_with=(), backend=""):
    """The bytes of an sdist."""
    system = {"requires": list(builds_with), "build-backend": backend or "backend"}
    lines = [f"{key} = {json.dumps(value)}" for key, value in system.items()]
    lines += [] if backend else ['backend-path = ["."]']
    members = {
        "PKG-INFO": metadata(name, version, requires),
        "pyproject.toml": "[build-system]\n" + "\n".join(lines) + "\n",
        "backend.py": BACKEND,
    }
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        for path, text in members.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return body.getvalue()


@pytest.fixture
def index():
    """An empty index that serves for the length of a test."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            toy.asked.append(self.path)
            if self.path in toy.redirects:
                self.send_response(302)
                self.send_header("Location", toy.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = None if toy.broken else toy.answer(self.path)
            body, kind = found or (b"", "text/plain")
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            same = found and self.headers.get("If-None-Match") == etag
            self.send_response(503 if toy.broken else 304 if same else 200 if found else 404)
            self.send_header("ETag", etag)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", "0" if same else str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if same or self.command == "HEAD" else body)

        do_HEAD = do_GET  # noqa: N815 - the name is the base class's

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    toy = ToyIndex(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield toy
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def uv(index, tmp_path):
    """Uv with a cache of its own, which knows the toy index only."""
    return Uv(variables={"UV_DEFAULT_INDEX": index.simple, "UV_CACHE_DIR": str(tmp_path / "uv-cache")})


@pytest.fixture
def ask(tmp_path):
    """A question for the Python that runs the tests."""

    def question(*requirements, **told):
        folders = tuple(
            folder if isinstance(folder, Folder) else Folder(Path(folder))
            for folder in told.pop("folders", ())
        )
        return Question(
            requirements=requirements, folders=folders, python=Path(sys.executable), root=tmp_path, **told
        )

    return question


@pytest.fixture
def constrain(tmp_path):
    """A file of constraints."""

    def write(text, name="c.txt"):
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def project(tmp_path):
    """A folder with a project, built by a backend of its own."""

    def make(name="toyproject", dependencies=(), extras=None, version="1.0"):
        folder = tmp_path / name
        folder.mkdir()
        optional = {} if extras is None else extras
        (folder / "pyproject.toml").write_text(
            "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
            f"[project]\nname = '{name}'\nversion = '{version}'\ndependencies = [\n"
            + "".join(f"  {json.dumps(each)},\n" for each in dependencies)
            + "]\n[project.optional-dependencies]\n"
            + "".join(f"{key} = {json.dumps(list(value))}\n" for key, value in optional.items())
        )
        (folder / "backend.py").write_text(BACKEND)
        (folder / "PKG-INFO").write_text(metadata(name, version))
        return folder

    return make


@pytest.fixture
def python():
    """The Python that runs the tests."""
    return sys.executable


@pytest.fixture
def old_python():
    """An interpreter before 3.9, where this machine has one."""
    below = VERSIONS
    found = [*below.glob("3.[678].*/bin/python"), *map(shutil.which, OLD)]
    if any(found):
        return Path(next(filter(None, found)))
    pytest.skip("needs a Python before 3.9 on this machine")


@pytest.fixture
def offline():
    """The three words of `offline = …`."""
    return Offline
