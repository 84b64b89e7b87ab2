"""Guests that mean harm: odd requests, floods, slowness, and hand-overs that are not in order."""

import json
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

FILE = "/files/toy/toy-1.0-py2.py3-none-any.whl"
REQUESTS = {
    "no list of names": (b"GET /simple/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "root": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "elsewhere": (b"GET /pypi/toy/json HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "odd name": (b"GET /simple/.toy./ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "long name": (b"GET /simple/" + b"a" * 300 + b"/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "not normalised": (b"GET /simple/T_oy/ HTTP/1.1\r\nHost: x\r\n\r\n", 301),
    "dots": (b"GET /simple/../lock HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "dots in a file": (b"GET /files/toy/..%2f..%2flock HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "dots as a project": (b"GET /files/../toy HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "zero byte": (b"GET /files/toy/toy%00 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "broken escape": (b"GET /files/toy/%ff%zz HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "unknown file": (b"GET /files/toy/toy-9.whl HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "file of another project": (
        b"GET /files/dep/toy-1.0-py2.py3-none-any.whl HTTP/1.1\r\nHost: x\r\n\r\n",
        404,
    ),
    "absolute address": (b"GET http://127.0.0.1:1/simple/toy/ HTTP/1.1\r\nHost: x\r\n\r\n", 404),
    "tunnel": (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "post": (b"POST /simple/toy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
    "post with a body": (b"POST /simple/toy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 413),
    "get with a body": (b"GET /simple/toy/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
    "odd method": (b"PROPFIND /simple/toy/ HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    "two lengths": (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "no host": (b"GET /simple/toy/ HTTP/1.1\r\n\r\n", 400),
    "no http": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "long path": (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "long header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40000 + b"\r\n\r\n", 431),
    "endless header": (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9000, 431),
    "upgrade": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", 404),
}


@pytest.mark.parametrize(("request_bytes", "status"), REQUESTS.values(), ids=REQUESTS)
def test_hostile_request(machine: Any, toy_index: Any, request_bytes: bytes, status: int) -> None:
    """An odd request gets its status, reaches nothing else, and the machine is served on."""
    with socket.create_connection(("127.0.0.1", machine.port), timeout=10) as channel:
        channel.sendall(request_bytes)
        assert channel.recv(4096).split(b" ", 2)[:2] == [b"HTTP/1.1", str(status).encode()]
    assert set(toy_index.seen) <= {"/simple/toy/", "/simple/dep/"}
    assert machine.get("/simple/toy/")[0] == 200


def test_many_requests_on_one_connection(machine: Any) -> None:
    """Pipelined requests are answered in order, and Connection: close ends it."""
    keep = b"HEAD /simple/toy/ HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    said = machine.raw(keep * 20 + last)
    assert said.count(b"HTTP/1.1 200 OK") == 20
    assert said.endswith(b"Not Found\n")


FLOOD = """
import http.client, socket, sys, threading, time
port, end = int(sys.argv[1]), time.monotonic() + 4
idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
for channel in idle:
    channel.sendall(b"GET /simple/toy/ HTTP/1.1\\r\\nX-Slow: ")
def flood(number):
    while time.monotonic() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", f"/simple/missing-{number}-{time.monotonic_ns()}/")
        connection.getresponse().read()
        connection.close()
threads = [threading.Thread(target=flood, args=(number,)) for number in range(16)]
for thread in threads:
    thread.start()
"""


def test_flood_of_one_machine(proxy: Any) -> None:
    """While one machine floods the proxy with requests and idle connections, another one is served at once."""
    bad, good = proxy.machine("m-bad"), proxy.machine("m-good")
    assert good.get(FILE)[0] == 200
    with subprocess.Popen([sys.executable, "-c", FLOOD, str(bad.port)]) as flood:
        try:
            times = []
            while flood.poll() is None:
                started = time.monotonic()
                assert good.get(FILE)[0] == 200
                times.append(time.monotonic() - started)
        finally:
            flood.kill()
    assert statistics.median(times) < 0.1
    assert max(times) < 2


def test_end_of_the_control_connection(machine: Any, toy_index: Any) -> None:
    """When the control connection closes, open connections end and the port is closed."""
    name = toy_index.add("big", "1.0", filler=1024 * 1024)
    toy_index.pace = 0.5
    with socket.create_connection(("127.0.0.1", machine.port), timeout=10) as idle:
        with socket.create_connection(("127.0.0.1", machine.port), timeout=10) as busy:
            busy.sendall(f"GET /files/big/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert busy.recv(10)
            machine.control.close()
            busy.settimeout(5)
            received = 10
            while chunk := busy.recv(65536):
                received += len(chunk)
            assert received < 1024 * 1024
        assert idle.recv(10) == b""
    with pytest.raises(ConnectionError):
        machine.get("/simple/toy/")


def _control(proxy: Any, message: bytes, *sockets: socket.socket) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.settimeout(5)
    control.connect(str(proxy.control))
    if sockets:
        socket.send_fds(control, [message], [each.fileno() for each in sockets])
    else:
        control.sendall(message)
    return control


HELLO = json.dumps({"machine": "m-x"}).encode() + b"\n"


@pytest.mark.parametrize(
    "message", [b"garbage\n", b"{}\n", b"[]\n", b'{"machine": "../x"}\n', b'{"machine": 5}\n'], ids=repr
)
def test_odd_handover(proxy: Any, message: bytes) -> None:
    """A hand-over without a proper machine id is refused, its listener closed, and nothing else happens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        with _control(proxy, message, listener) as control:
            assert control.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    assert proxy.machine().get("/simple/toy/")[0] == 200


def test_handover_without_a_listener(proxy: Any, tmp_path: Path) -> None:
    """No descriptor, two, one that does not listen, and one that is no socket are all refused."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket() as mute,
        (tmp_path / "file").open("wb") as file,
    ):
        for wrong in ((), (listener, listener), (mute,), (file,)):
            with _control(proxy, HELLO, *wrong) as control:
                assert control.recv(10) == b""
    assert proxy.log.read_text().count("was not handed over") == 4


def test_same_machine_twice(proxy: Any) -> None:
    """A second listener for a machine that is served is refused; the first one stays."""
    first = proxy.machine("m-1")
    assert first.get("/simple/toy/")[0] == 200
    second = proxy.machine("m-1")
    assert second.control.recv(10) == b""
    assert first.get("/simple/toy/")[0] == 200
