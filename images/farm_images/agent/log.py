"""The log of a job on its way to the host: read as it is written, cut at its limit, sent in chunks.

Used by `watch`. It never interprets a byte of it.
"""

import os
import time

from farm_images.agent.packets import TEXT, Packets
from farm_images.wire import MAX_CHUNK

FLUSH_SECONDS = 0.3
_READ_BYTES = 1 << 16


class Log:
    """One pipe, read without blocking; the attachment `log` of a step. What is read waits at most 0.3 s."""

    def __init__(self, descriptor: int, limit: int, packets: Packets, step: str) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._left = limit
        self._packets = packets
        self._step = step
        self._buffer = bytearray()
        self._due: float | None = None
        self.ended = False
        self.exceeded = False

    def fileno(self) -> int:
        """For selectors."""
        return self._descriptor

    @property
    def due(self) -> float | None:
        """When (monotonic seconds) the buffer must be sent; None while it is empty."""
        return self._due

    def read(self) -> None:
        """Take what is there. Sets `ended` at the end, `exceeded` when there is more than the limit."""
        try:
            data = os.read(self._descriptor, _READ_BYTES)
        except BlockingIOError:
            return
        self.ended = not data
        self.exceeded = self.exceeded or len(data) > self._left
        self._buffer += data[: self._left]
        self._left -= min(len(data), self._left)
        if self._buffer and self._due is None:
            self._due = time.monotonic() + FLUSH_SECONDS
        if len(self._buffer) >= MAX_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Send the buffer now."""
        if self._buffer:
            self._packets.attach(self._step, "log", bytes(self._buffer), TEXT, eof=False)
        self._buffer.clear()
        self._due = None

    def finish(self) -> None:
        """Send the rest, and that there is no more."""
        self._packets.attach(self._step, "log", bytes(self._buffer), TEXT, eof=True)
        self._buffer.clear()
        self._due = None
