"""Which URLs git may be asked for, and what a hostile server or URL comes to."""

import contextlib
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm_scheduler import git_access, repository
from farm_scheduler.errors import IndexUnavailableError, SourceError, TargetError
from farm_scheduler.git_access import check_access, check_url
from farm_scheduler.settings import Settings
from farm_scheduler.sources import find_commit, get_source
from farm_scheduler.targets import RepositoryTarget, read_target


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A farm of the usual settings, but small."""
    return Settings(home=tmp_path / "home", source_bytes=200_000, git_seconds=60)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0.0.0.0/x",
        "https://10.1.2.3/x",
        "https://192.168.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[fe80::1]/x",
        "https://localhost/x",
        "https://LOCALHOST./x",
        "https://224.0.0.1/x",
        "https://100.64.0.1/x",
        "https://[64:ff9b::7f00:1]/x",
        "https://[64:ff9b::a9fe:a9fe]/x",
        "https://[64:ff9b:1::a00:1]/x",
        "https://[::127.0.0.1]/x",
        "https://[::93.184.215.14]/x",
        "https://[::ffff:0:127.0.0.1]/x",
        "https://[::ffff:224.0.0.1]/x",
        "https://[2002:7f00:1::]/x",
        "https://[2001:0:7f00:1::1]/x",
        "https://[::]/x",
        "https://[fec0::1]/x",
    ],
)
def test_an_internal_address_is_refused(settings: Settings, url: str) -> None:
    """An address that is not public is not asked, whatever its spelling or name."""
    with pytest.raises(TargetError, match="no public address"):
        check_access(url, settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.1/x", "https://0x7f.1/x", "https://[::1]/x", "https://10.0.0.1/x", "https://localhost./x",
        "https://intranet/x", "https://DB.internal/x", "http://example.org/x", "ext::sh", "file:///etc", "https://:80/y",
    ],
)  # fmt: skip
def test_what_needs_no_look_up_is_refused_at_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A door refuses schemes, addresses and inner names without asking for an address, behind a proxy as well."""
    monkeypatch.setattr(git_access.socket, "getaddrinfo", None)
    monkeypatch.setattr(git_access, "getproxies_environment", lambda: {"https": "http://proxy"})
    for check in (check_url, check_access):
        with pytest.raises(TargetError):
            check(url, settings)


def test_a_host_that_is_trusted_or_public_passes_the_door(settings: Settings) -> None:
    """A host of the setting may be inner and without https; a public name waits for the worker's look-up."""
    trusting = settings.model_copy(update={"git_hosts": ["Git.internal", "127.0.0.1:3000"]})
    assert check_url("http://git.internal/x", trusting)
    assert check_url("http://127.0.0.1:3000/x", trusting)
    assert not check_url("https://xn--80akhbyknj4f.xn--p1ai/x", settings)
    assert not check_url("https://93.184.215.14/x", settings)
    assert not check_url("https://[2606:4700::1]/x", settings)
    assert not check_url("https://[::ffff:93.184.215.14]/x", settings)
    assert not check_url("https://[64:ff9b::5db8:d70e]/x", settings)


@pytest.mark.parametrize("url", ["http://example.org/x", "file:///etc", "ftp://example.org/x"])
def test_another_scheme_is_refused(settings: Settings, url: str) -> None:
    """Only https, unless the farm was told otherwise."""
    with pytest.raises(TargetError):
        check_access(url, settings)


@pytest.mark.parametrize(
    "url",
    [
        "https://-oProxyCommand=x/y",
        "https://example.org:x/y",
        "https://:80/y",
        "https://[a.com/x",
        "https://a]b/x",
    ],
)
def test_a_host_that_is_none_is_refused(settings: Settings, url: str) -> None:
    """What could be an option, or has no host, never reaches git."""
    with pytest.raises(TargetError):
        check_access(url, settings)


def test_a_name_that_leads_inside_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One internal address among those of a public name is enough."""
    found = [(2, 1, 6, "", ("93.184.215.14", 443)), (2, 1, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(git_access.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(git_access, "getproxies_environment", dict)
    with pytest.raises(TargetError, match=r"10\.0\.0\.1"):
        check_access("https://rebind.example/x", settings)


def test_the_address_that_was_checked_is_the_one_that_is_used(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git is told the address: a name that changes in between leads nowhere else."""
    found = [(2, 1, 6, "", ("93.184.215.14", 443)), (10, 1, 6, "", ("2606:4700::1", 443, 0, 0))]
    monkeypatch.setattr(git_access.socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(git_access, "getproxies_environment", dict)
    pinned = ("-c", "http.curloptResolve=example.org:443:93.184.215.14,[2606:4700::1]")
    assert check_access("https://example.org/x", settings) == pinned


def test_a_name_without_an_address_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads nowhere is nobody's fault, and may be tried again."""
    monkeypatch.setattr(git_access, "getproxies_environment", dict)
    with pytest.raises(IndexUnavailableError, match="has no address"):
        check_access("https://nowhere.invalid/x", settings)


class Server:
    """Repositories over plain HTTP, by git's own program for it; switches make it hostile."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.redirect = ""
        self.resets: Callable[[bytes], bool] = lambda _: False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.serve(self)

            def do_POST(self) -> None:
                server.serve(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """One request, as CGI (RFC 3875)."""
        if self.redirect:
            request.send_response(301)
            request.send_header("Location", self.redirect + request.path)
            request.end_headers()
            return
        path, _, query = request.path.partition("?")
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        if self.resets(body):
            at_once = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            return
        command = ["git", "http-backend"]
        made = subprocess.run(
            command, input=body, env=variables, capture_output=True, timeout=60, check=False
        )
        head, _, content = made.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        request.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        with contextlib.suppress(OSError):
            request.wfile.write(content)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with one repository that has a submodule, and a commit that only a pull request has."""
    folder = tmp_path / "served" / "demo.git"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "setup.py").write_text("")
    (folder / ".gitmodules").write_text(
        '[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch% /tmp/trapped\n'
    )
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    commit = git(folder, "rev-parse", "HEAD")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{commit},s")
    git(folder, "commit", "--quiet", "-m", "two")
    tree = git(folder, "commit-tree", "-m", "three", "-p", "HEAD", "HEAD^{tree}")
    git(folder, "update-ref", "refs/pull/1/head", tree)
    found = Server(folder.parent)
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join(timeout=10)


def git(folder: Path, *command: str) -> str:
    """Run git in a folder."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    argv = ["git", "-C", str(folder), *who, *command]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def target(server: Server, ref: str = "main") -> RepositoryTarget:
    """The repository on that server."""
    found = read_target(f"git+http://{server.host}/demo.git@{ref}")
    assert isinstance(found, RepositoryTarget)
    return found


def test_a_host_that_is_allowed_is_asked_over_http(settings: Settings, server: Server) -> None:
    """An internal forge is asked once its host is in WHEELFARM_GIT_HOSTS; its submodules never are."""
    with pytest.raises(TargetError, match="WHEELFARM_GIT_HOSTS"):
        get_source(target(server), settings)
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    source = get_source(target(server), allowed)
    assert "setup.py" in source.files.names
    assert not Path("/tmp/trapped").exists()
    assert find_commit(target(server), allowed) == git(server.root / "demo.git", "rev-parse", "main")


def test_a_commit_of_a_pull_request_is_fetched_over_http(settings: Settings, server: Server) -> None:
    """A commit that no branch has is asked for by its hash."""
    commit = git(server.root / "demo.git", "rev-parse", "refs/pull/1/head")
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    assert commit in get_source(target(server, commit), allowed).notes[0]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two tries."""
    monkeypatch.setattr(repository, "PAUSE_SECONDS", 0.01)


@pytest.mark.usefixtures("impatient")
def test_a_connection_that_breaks_is_tried_again(settings: Settings, server: Server) -> None:
    """A server that resets two connections in a row is asked a third time."""
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    broken = iter([True, True])
    server.resets = lambda _: next(broken, False)
    assert "setup.py" in get_source(target(server), allowed).files.names
    assert next(broken, None) is None


@pytest.mark.usefixtures("impatient")
def test_connections_that_always_break_are_told(settings: Settings, server: Server) -> None:
    """It is asked three times, no more, and nothing is left behind."""
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    asked: list[bytes] = []
    server.resets = lambda body: not asked.append(body)
    with pytest.raises(IndexUnavailableError, match="could not fetch the repository"):
        get_source(target(server), allowed)
    assert len(asked) == 3
    assert list(settings.sources.iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_a_broken_connection_is_no_missing_commit(settings: Settings, server: Server) -> None:
    """Whether a commit exists is not known when the connection breaks while it is asked for."""
    commit = git(server.root / "demo.git", "rev-parse", "refs/pull/1/head")
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    server.resets = lambda body: commit.encode() in body
    with pytest.raises(IndexUnavailableError, match=f"could not fetch {commit}"):
        get_source(target(server, commit), allowed)


def test_a_redirect_is_not_followed(settings: Settings, server: Server) -> None:
    """A server cannot send git on to another address."""
    server.redirect = f"http://{server.host.replace('127.0.0.1', 'localhost')}"
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    with pytest.raises(TargetError, match="leads on to another address"):
        get_source(target(server), allowed)


def test_a_large_repository_is_refused_within_its_bounds(settings: Settings, server: Server) -> None:
    """More than is allowed ends git while it fetches, and leaves nothing behind."""
    folder = server.root / "demo.git"
    (folder / "big").write_bytes(os.urandom(8_000_000))
    git(folder, "add", "big")
    git(folder, "commit", "--quiet", "-m", "big")
    allowed = settings.model_copy(update={"git_hosts": (server.host,)})
    with pytest.raises(SourceError, match="holds more than"):
        get_source(target(server), allowed)
    assert list(settings.sources.iterdir()) == []
