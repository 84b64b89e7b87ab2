"""The agent's end of the channel: frames from the host in, bytes out, never blocking on a write.

Used by `conversation` and `watch`. It never looks into a frame and never makes a packet. A virtio port
without a host at its other end reads as an end of file; that is no end, the host may come (again) at any
time.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import time
from collections import deque
from pathlib import Path

from farm_images.errors import WireError
from farm_images.wire import CHANNEL, Frame, FrameDecoder

_READ_BYTES = 1 << 18
_AWAY_SECONDS = 0.05
HIGH_WATER = 1 << 20
"""Bytes waiting for the host from which on nothing more should be read from the job."""


class ChannelClosedError(Exception):
    """The host is gone for good (only where the channel is a socket)."""


class Channel:
    """Frames in, bytes out, over one file descriptor."""

    def __init__(self, descriptor: int, *, port: bool) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._port = port
        self._decoder = FrameDecoder()
        self._frames: deque[Frame] = deque()
        self._outbox = bytearray()
        if port:
            # The driver signals a host that comes or goes; poll alone cannot wait for one that is away.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
            fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
            flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)

    def fileno(self) -> int:
        """For selectors."""
        return self._descriptor

    @property
    def pending(self) -> int:
        """Bytes that the host has not taken yet."""
        return len(self._outbox)

    def queue(self, data: bytes) -> None:
        """Send these bytes when the host takes them."""
        self._outbox += data

    def flush(self) -> None:
        """Write what the host takes now."""
        while self._outbox:
            try:
                written = os.write(self._descriptor, memoryview(self._outbox)[: 1 << 16])
            except BlockingIOError:
                return
            except OSError as error:
                self._lose(error)
                return
            del self._outbox[:written]

    def drain(self, seconds: float) -> None:
        """Write everything, waiting for the host at most so long."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        self.flush()
        while self._outbox and (left := deadline - time.monotonic()) > 0:
            poll.poll(left * 1000)
            self.flush()

    def receive(self) -> list[Frame]:
        """The frames that are there now; empty if none is.

        Raises:
            ChannelClosedError: a socket's other end is gone.
        """
        self._fill()
        frames = list(self._frames)
        self._frames.clear()
        return frames

    def next_frame(self, seconds: float | None = None) -> Frame | None:
        """Wait for one frame; None when the time is over. Raises ChannelClosedError."""
        deadline = None if seconds is None else time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while not self._frames:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self.flush()
            poll.modify(self._descriptor, select.POLLIN | (select.POLLOUT if self._outbox else 0))
            poll.poll(None if left is None else left * 1000)
            if self._fill():
                self._wait_for_host(left)
        return self._frames.popleft()

    def _fill(self) -> bool:
        """Read once; True if a port has no host at its other end."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(error)
            return True
        if not data:
            self._lose(None)
            return True
        try:
            self._frames.extend(self._decoder.feed(data))
        except WireError:
            # Whoever wrote this is not our host; the next HELLO starts anew.
            self._decoder = FrameDecoder()
        return False

    def _lose(self, error: OSError | None) -> None:
        if not self._port:
            raise ChannelClosedError from error
        if error is not None and error.errno not in {errno.EPIPE, errno.ENODEV, errno.EIO}:
            raise error
        self._decoder = FrameDecoder()
        self._outbox.clear()

    def _wait_for_host(self, seconds: float | None) -> None:
        wait = _AWAY_SECONDS if seconds is None else min(seconds, _AWAY_SECONDS)
        signal.sigtimedwait({signal.SIGIO}, wait)


def open_socket(path: Path) -> Channel:
    """A unix socket that stands for the port in tests. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return Channel(connection.detach(), port=False)


def open_port(seconds: float) -> Channel:
    """The virtio port, as soon as the kernel has it. Raises OSError when it does not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        for path in (Path("/dev/virtio-ports") / CHANNEL, *_ports_by_name()):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                return Channel(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK), port=True)
        if time.monotonic() > deadline:
            raise OSError(errno.ENODEV, f"no virtio port {CHANNEL}")
        time.sleep(_AWAY_SECONDS)


def _ports_by_name() -> list[Path]:
    """Without udev there are no links; the kernel tells each port's name."""
    names = Path("/sys/class/virtio-ports").glob("*/name")
    return [Path("/dev") / name.parent.name for name in names if name.read_text().strip() == CHANNEL]
