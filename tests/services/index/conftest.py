"""A toy index that can misbehave, and a real proxy process in front of it."""

import hashlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def wheel(name: str, version: str, *requires: str, python: str = "", filler: int = 0) -> bytes:
    """A wheel that any installer takes, with a module of its name and `filler` bytes that do not compress."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    needs += f"Requires-Python: {python}\n" if python else ""
    members = {
        f"{name}.py": f"version = {version!r}\n".encode(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py2-none-any\nTag: py3-none-any\n",
    }
    if filler:
        members[f"{name}.dat"] = os.urandom(filler)
    record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for member, content in {**members, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(member, content)
    return whole.getvalue()


@dataclass
class ToyIndex:
    """An index on loopback; its switches may be changed while it serves."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    conditional: int = 0
    html_only: bool = False
    status: int = 200
    hang: threading.Event | None = None
    pace: float = 0.0
    cache_control: str = ""
    url: str = ""

    def add(self, name: str, version: str, *requires: str, filler: int = 0, **attributes: Any) -> str:
        """Publish a wheel and give its file name; attributes are keys of the JSON form."""
        filename = f"{name}-{version}-py2.py3-none-any.whl"
        python = attributes.get("requires-python", "")
        content = wheel(name, version, *requires, python=python, filler=filler)
        self.files[f"/packages/{filename}"] = content
        link = {
            "filename": filename,
            "url": f"../../packages/{filename}",
            "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
        }
        self.links.setdefault(name, []).append(link | attributes)
        return filename

    def add_sdist(self, name: str, version: str) -> None:
        """Publish an sdist that is a project."""
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo(f"{name}-{version}/setup.py"))
        filename = f"{name}-{version}.tar.gz"
        self.files[f"/packages/{filename}"] = whole.getvalue()
        digest = hashlib.sha256(whole.getvalue()).hexdigest()
        link = {"filename": filename, "url": f"../../packages/{filename}", "hashes": {"sha256": digest}}
        self.links.setdefault(name, []).append(link)

    def page(self, name: str, *, as_json: bool) -> bytes:
        """The project's page in one of the two forms."""
        if as_json:
            return json.dumps(
                {"meta": {"api-version": "1.0"}, "name": name, "files": self.links[name]}
            ).encode()
        anchors = []
        for link in self.links[name]:
            digest = link["hashes"].get("sha256")
            href = link["url"] + (f"#sha256={digest}" if digest else "")
            python = (
                f' data-requires-python="{escape(link["requires-python"])}"'
                if "requires-python" in link
                else ""
            )
            anchors.append(f'<a href="{escape(href)}"{python}>{link["filename"]}</a>')
        return ("<!DOCTYPE html><html><body>" + "<br>".join(anchors) + "</body></html>").encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: ToyIndex

    def do_GET(self) -> None:
        index = self.index
        index.seen[self.path] += 1
        if index.hang:
            index.hang.wait(60)
            self.close_connection = True
            return
        name = self.path.removeprefix("/simple/").strip("/")
        if index.status != 200:
            self._reply(index.status, b"out of order")
        elif self.path.startswith("/simple/") and name in index.links:
            as_json = JSON_TYPE in self.headers.get("Accept", "") and not index.html_only
            self._page(index.page(name, as_json=as_json), JSON_TYPE if as_json else "text/html")
        elif self.path in index.files:
            self._reply(200, index.files[self.path])
        else:
            self._reply(404, b"no")

    def _page(self, body: bytes, kind: str) -> None:
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        control = self.index.cache_control
        headers = [("ETag", tag), *([("Cache-Control", control)] if control else [])]
        if self.headers.get("If-None-Match") == tag:
            self.index.conditional += 1
            self._reply(304, b"", *headers)
        else:
            self._reply(200, body, *headers, ("Content-Type", kind))

    def _reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        step = 65536
        for start in range(0, len(body), step):
            time.sleep(self.index.pace)
            self.wfile.write(body[start : start + step])

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: the tests count requests instead."""


@pytest.fixture
def toy_index() -> Iterator[ToyIndex]:
    """A served toy index with the project `toy` 1.0, which needs `dep`."""
    index = ToyIndex()
    index.add("toy", "1.0", "dep>=1", **{"requires-python": ">=2.7"})
    index.add("dep", "1.0")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"index": index}))
    server.daemon_threads = True
    index.url = f"http://127.0.0.1:{server.server_address[1]}/simple/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield index
    if index.hang:
        index.hang.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Machine:
    """A machine's side of the proxy: its port, and the control connection that keeps it served."""

    name: str
    port: int
    control: socket.socket

    @property
    def url(self) -> str:
        """The index URL that a guest would use."""
        return f"http://127.0.0.1:{self.port}/simple/"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, lower-case headers, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            return (
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def raw(self, data: bytes, *, timeout: float = 20) -> bytes:
        """Send bytes as they are and read until the proxy ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as channel:
            channel.sendall(data)
            said = b""
            try:
                while chunk := channel.recv(65536):
                    said += chunk
            except ConnectionResetError:
                pass
            return said


@dataclass
class Proxy:
    """A running proxy process."""

    home: Path
    control: Path
    process: subprocess.Popen[bytes]
    log: Path
    controls: list[socket.socket] = field(default_factory=list)

    def machine(self, name: str = "m-1") -> Machine:
        """Hand a new listener over."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.controls.append(control)
        control.connect(str(self.control))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            socket.send_fds(control, [json.dumps({"machine": name}).encode() + b"\n"], [listener.fileno()])
            return Machine(name, listener.getsockname()[1], control)

    def downloads(self, name: str = "m-1") -> list[dict[str, Any]]:
        """The record of a machine."""
        text = (self.home / "index" / "downloads" / f"{name}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


StartProxy = Callable[..., Any]


@pytest.fixture
def start_proxy(tmp_path: Path, toy_index: ToyIndex) -> StartProxy:
    """A context manager that runs a proxy in front of the toy index, in the same home each time."""

    @contextmanager
    def start(*options: str) -> Iterator[Proxy]:
        control = tmp_path / "run" / "index.sock"
        log = tmp_path / "proxy.log"
        environment = {**os.environ, "WHEELFARM_HOME": str(tmp_path), "WHEELFARM_INDEX_URL": toy_index.url}
        command = [sys.executable, "-m", "farm_workers.index_proxy", "--control", str(control), *options]
        with log.open("ab") as output:
            process = subprocess.Popen(command, env=environment, stderr=output)
        try:
            wait_until(lambda: _answers(control) or process.poll() is not None)
            proxy = Proxy(tmp_path, control, process, log)
            yield proxy
            for each in proxy.controls:
                each.close()
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(10)

    return start


@pytest.fixture
def proxy(start_proxy: StartProxy) -> Iterator[Proxy]:
    """A proxy with its default limits."""
    with start_proxy() as running:
        yield running
    assert running.process.returncode == 0
    assert "Traceback" not in running.log.read_text()


@pytest.fixture
def machine(proxy: Proxy) -> Machine:
    """One machine served by the proxy."""
    return proxy.machine()


def wait_until(met: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def _answers(control: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(control)) == 0
