"""What clients that never say what they ask for can hold: connections, for some seconds."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest

from farm_api import connection
from farm_cli.pages import answers
from farm_cli.pulse import Pulse

from .serving import served

DESCRIPTORS = 128


@pytest.fixture
def client(settings, monkeypatch):
    """A client of the application, whose patience is short."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 1.0)
    with served(settings) as found:
        yield found


@pytest.fixture
def address(client):
    """Where the application listens."""
    return (client.base_url.host, client.base_url.port)


def ended(sock, seconds=20):
    """Whether the server ends the connection."""
    sock.settimeout(seconds)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        return sock.recv(1) == b""
    return True


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: x", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET"]
)
def test_who_says_nothing_more_is_not_waited_for(address, sent):
    """A head that does not come, or not whole, ends the connection; so does that of a later request."""
    with socket.create_connection(address) as sock:
        sock.sendall(sent)
        if sent.endswith(b"GET"):
            assert sock.recv(17) == b"HTTP/1.1 200 OK\r\n"
            while sock.recv(4096):
                pass
        else:
            assert ended(sock)


def test_a_head_without_an_end_is_not_kept(address, monkeypatch):
    """Beyond its bound the connection is closed, however fast it comes."""
    monkeypatch.setattr(connection, "HEAD_SECONDS", 60.0)
    with socket.create_connection(address, timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            sock.sendall((b"X-More: " + b"m" * 8000 + b"\r\n") * 10_000)


def test_a_slow_answer_is_no_slow_head(client):
    """What the application sends for long has its own bounds, and the next request comes on the same connection."""
    with client.stream("GET", "/healthz") as answer:
        time.sleep(2 * connection.HEAD_SECONDS)
        assert answer.read() == b'{"status":"ok"}'
    assert client.get("/healthz").status_code == 200


def test_a_proxy_for_elsewhere_is_not_asked(address, monkeypatch):
    """Whether the server answers is asked of it itself, whatever the variables of a proxy say."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert answers(*address)


def test_all_connections_taken_is_no_hang(settings):
    """A server without a free descriptor shows that it goes on, and answers when those who say nothing are gone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pulse = Pulse()
    argv = ["prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}", sys.executable, "-m", "farm_api.server"]
    process = subprocess.Popen(
        [*argv, "--port", str(port), "--pulse", str(pulse.end)],
        env={**os.environ, "WHEELFARM_HOME": str(settings.home)},
        pass_fds=(pulse.end,),
    )
    try:
        with contextlib.ExitStack() as stack:
            deadline = time.monotonic() + 60
            while not answers("127.0.0.1", port):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            for _ in range(2 * DESCRIPTORS):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    sock.connect(("127.0.0.1", port))
            assert not answers("127.0.0.1", port)
            assert _beats(pulse)
            deadline = time.monotonic() + 60
            while not answers("127.0.0.1", port):
                assert time.monotonic() < deadline
            assert process.poll() is None
    finally:
        process.terminate()
        process.wait(timeout=20)
        pulse.close()


def _beats(pulse):
    """Whether another byte comes."""
    before = pulse._heard
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert not pulse.is_lost
        if pulse._heard > before:
            return True
        time.sleep(0.1)
    return False
