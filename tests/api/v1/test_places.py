"""What one client may hold open at once, and for how long: downloads of logs, live streams, pieces of uploads."""

import contextlib
import socket
import sys
import time

import pytest

from farm_api.v1 import body_bounds
from farm_api.v1.application import STREAMS_AT_ONCE
from farm_dashboards import log_reader
from farm_dashboards.client_addresses import client_at
from farm_scheduler.roles import Role

PAGE = "/runs/r-fin23456/jobs/j-fin22222/log.txt"
ENDLESS = "import sys\nwhile sys.stdout.write('x' * 65536): pass"


@contextlib.contextmanager
def asking(door, head, body=b"", *, many=1, source="127.0.0.1"):
    """So many connections that send this and read nothing yet."""
    with contextlib.ExitStack() as held:
        found = []
        for _ in range(many):
            one = held.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(20)
            one.bind((source, 0))
            one.connect(("127.0.0.1", door.client.base_url.port))
            one.sendall(head.encode() + b"\r\nHost: localhost\r\n\r\n" + body)
            found.append(one)
        yield found


def until(answers, seconds=20):
    """Whether that is so before long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answers():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def children(monkeypatch):
    """The children that read logs: they never come to an end."""
    made = []
    start = log_reader.subprocess.Popen
    monkeypatch.setattr(log_reader, "_program", lambda _stream: [sys.executable, "-c", ENDLESS])

    def note(*given, **named):
        made.append(start(*given, **named))
        return made[-1]

    monkeypatch.setattr(log_reader.subprocess, "Popen", note)
    return made


@pytest.fixture
def log(lite):
    """The addresses of a log, at the API and as a page."""
    return [f"/api/v1{item['href']}" for item in _artifacts(lite) if item["name"] == "log.txt"] + [PAGE]


def _artifacts(door):
    attempt = door.get("/jobs/j-fin22222/attempts").json()["items"][0]["id"]
    return door.get(f"/attempts/{attempt}/artifacts").json()["items"]


@pytest.mark.parametrize("place", [0, 1])
def test_a_client_that_goes_away_frees_its_child(lite, log, children, place):
    """Two downloads are a client's; the next is 429 at once, and goes when these are gone, as their children are."""
    with asking(lite, f"GET {log[place]} HTTP/1.1", many=2):
        assert until(lambda: len(children) == 2)
        refused = lite.client.get(log[place])
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert len(children) == 2
    assert until(lambda: all(child.poll() is not None for child in children))
    with lite.client.stream("GET", log[place]) as answer:
        assert answer.status_code == 200


def test_a_client_that_reads_nothing_loses_its_place(lite, log, children, monkeypatch):
    """A whole log has its time, however slowly it is taken."""
    monkeypatch.setattr(log_reader, "WHOLE_SECONDS", 1.0)
    with asking(lite, f"GET {log[0]} HTTP/1.1", many=2):
        assert until(lambda: len(children) == 2 and all(child.poll() is not None for child in children))


def test_no_client_takes_all_live_streams(lite):
    """An address without a token has its share; others have theirs."""
    path = "/api/v1/runs/r-run23456/events"
    with asking(lite, f"GET {path} HTTP/1.1", many=16) as streams:
        assert all(b" 200 " in one.recv(100) for one in streams)
        assert lite.client.get(path).json()["code"] == "too-busy"
        with lite.client.stream("GET", path, headers=lite.token(Role.READER)) as answer:
            assert answer.status_code == 200
    assert until(lambda: _status(lite, path) == 200)


def test_addresses_leave_half_of_the_streams_to_tokens(lite):
    """Who has no token takes no more than half of the places, with however many addresses."""
    path = "/api/v1/runs/r-run23456/events"
    with contextlib.ExitStack() as held:
        for source in ("127.0.0.2", "127.0.0.3"):
            head = f"GET {path} HTTP/1.1"
            streams = held.enter_context(asking(lite, head, many=STREAMS_AT_ONCE // 4, source=source))
            assert all(b" 200 " in one.recv(100) for one in streams)
        assert lite.client.get(path).status_code == 429
        with lite.client.stream("GET", path, headers=lite.token(Role.READER)) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
    ],
)
def test_a_network_of_ipv6_is_one_client(host, client):
    """Whoever has one address of a /64 has all of them; a mapped IPv4 address is that."""
    assert client_at(host) == f"address {client}"


def _status(door, path):
    with door.client.stream("GET", path) as answer:
        return answer.status_code


def _piece(headers="", size=1000):
    return (
        f"PATCH /api/v1/uploads/u-22222222 HTTP/1.1\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {size}{headers}"
    )


def _send(door, headers):
    named = {**headers, "Upload-Offset": "0", "Content-Type": "application/octet-stream"}
    return door.client.patch("/api/v1/uploads/u-22222222", content=b"x", headers=named)


def test_nobody_without_a_right_holds_up_uploads(lite, monkeypatch):
    """Who may not upload is refused before the body is there, and takes no place of those who may."""
    monkeypatch.setattr(body_bounds, "DRAIN_SECONDS", 0.2)
    with asking(lite, _piece(), b"x", many=body_bounds.PIECES_AT_ONCE) as waiting:
        assert _send(lite, lite.token(Role.SUBMITTER)).status_code == 404
        assert all(b" 401 " in one.recv(100) for one in waiting)


def test_one_token_has_its_share_of_the_pieces(lite):
    """Two pieces at a time are a client's, and others go on."""
    mine = lite.token(Role.SUBMITTER)
    head = _piece(f"\r\nAuthorization: {mine['Authorization']}")
    with asking(lite, head, b"x", many=body_bounds.PIECES_EACH):
        time.sleep(2)  # nothing tells that they are there
        refused = _send(lite, mine)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
        assert _send(lite, lite.token(Role.SUBMITTER)).status_code == 404
    assert until(lambda: _send(lite, mine).status_code == 404)


def test_a_body_that_trickles_is_ended(lite, monkeypatch):
    """A body has a while, and longer the more of it has come."""
    monkeypatch.setattr(body_bounds, "PATIENCE_SECONDS", 1.0)
    mine = f"\r\nAuthorization: {lite.token(Role.SUBMITTER)['Authorization']}"
    with asking(lite, _piece(mine), b"x") as (one,):
        assert b" 408 " in one.recv(100)
    with asking(lite, _piece(mine, size=200_000), b"x" * 190_000) as (one,):
        time.sleep(2)
        one.sendall(b"x" * 10_000)
        assert b" 404 " in one.recv(100)
