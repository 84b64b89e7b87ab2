"""Connections of guests that are slow."""

import asyncio
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from farm_workers.index import connection
from farm_workers.index.answers import Answer, FilePart, Request
from farm_workers.index.guests import Guest

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class BigSite:
    """Answers everything with one large file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent: list[int] = []

    async def answer(self, request: Request, guest: Guest) -> Answer:
        """Give the file."""
        del request, guest
        size = self.path.stat().st_size
        part = FilePart(file=self.path.open("rb"), start=0, stop=size, download=None, sent=self.sent.append)
        return Answer(status=HTTPStatus.OK, body=part)


@pytest.fixture
def site(tmp_path: Path) -> BigSite:
    """A site with a file larger than what sockets buffer."""
    (tmp_path / "big").write_bytes(bytes(32 * 1024 * 1024))
    return BigSite(tmp_path / "big")


def serve(site: Any, tmp_path: Path, behave: Any) -> float:
    """Serve one connection of which `behave` plays the guest; give the seconds that it lasted."""

    async def scene() -> float:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        guest = Guest("m-1", tmp_path)
        started = time.monotonic()
        with ours, theirs:
            playing = asyncio.create_task(behave(asyncio.get_running_loop(), theirs))
            await connection.Connection(ours, site, guest).serve()
            playing.cancel()
            await asyncio.wait([playing])
        guest.close()
        return time.monotonic() - started

    return asyncio.run(asyncio.wait_for(scene(), 20))


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the proxy impatient, so that the tests need not wait."""
    monkeypatch.setattr(connection, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(connection, "HEAD_SECONDS", 0.6)
    monkeypatch.setattr(connection, "SLICE_SECONDS", 0.3)


async def _silent(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    del loop, channel
    await asyncio.sleep(10)


async def _dribbling(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    for byte in HEAD[:20] * 100:
        await loop.sock_sendall(channel, bytes([byte]))
        await asyncio.sleep(0.05)


async def _crumbling(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    await loop.sock_sendall(channel, HEAD[:-2] + b"X: ")
    while True:
        await loop.sock_sendall(channel, b"x")
        await asyncio.sleep(0.001)


async def _not_reading(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    await loop.sock_sendall(channel, HEAD)
    await asyncio.sleep(10)


@pytest.mark.parametrize("behave", [_silent, _dribbling, _crumbling, _not_reading])
def test_slow_guest(site: BigSite, tmp_path: Path, behave: Any) -> None:
    """A guest that says nothing, dribbles a request in any way, or does not read, loses its connection soon."""
    assert serve(site, tmp_path, behave) < 2


async def _reading_a_little(loop: asyncio.AbstractEventLoop, channel: socket.socket) -> None:
    await loop.sock_sendall(channel, HEAD)
    received = 0
    while received < 8 * 1024 * 1024:
        received += len(await loop.sock_recv(channel, 65536))
    channel.shutdown(socket.SHUT_RDWR)


def test_what_was_sent_is_told(site: BigSite, tmp_path: Path) -> None:
    """A guest that leaves in the middle is recorded with about the bytes that it was sent."""
    serve(site, tmp_path, _reading_a_little)
    assert len(site.sent) == 1
    assert 7 * 1024 * 1024 <= site.sent[0] < 32 * 1024 * 1024
