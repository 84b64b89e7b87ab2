"""Reads the stream of one machine: raw bytes to the evidence file, events to whoever asked.

Called by run and by image_bake. The bytes are hostile: the file has a cap, the decoder has bounds. It never
interprets an event and never decides when a job is over.
"""

import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from farm_images.subunit_stream import Decoder, Event
from farm_scheduler.disk_room import check_room

CHUNK = 256 << 10
"""Bytes that are taken from the channel at once."""


class StreamReader:
    """The guest's side of a channel, as events.

    Args:
        channel: the connected socket of the machine; the caller closes it.
        path: where the raw bytes go, None to keep none.
        limit: bytes of the stream that are taken; what is beyond is neither kept nor decoded.

    Attributes:
        bytes: taken so far.
        ended: whether the machine's side is closed.
        full: whether the limit was reached.
    """

    def __init__(self, channel: socket.socket, path: Path | None, limit: int) -> None:
        self.bytes = 0
        self.ended = False
        self.full = False
        self._channel = channel
        self._limit = limit
        self._decoder = Decoder()
        self._file = None if path is None else path.open("wb", buffering=0)
        self._folder = Path() if path is None else path.parent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def read(self) -> list[Event]:
        """The events of what has arrived; call it when the channel is readable. Never blocks on a ready channel.

        Raises:
            NoRoomError: the disk is full.
        """
        try:
            data = self._channel.recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""  # a machine that dies resets its channel: that is an end, too
        if not data:
            self.ended = True
            return self._decoder.close()
        taken = data[: self._limit - self.bytes]
        self.full = self.full or len(taken) < len(data)
        self.bytes += len(taken)
        if self._file is not None:
            self._keep(taken)
        return self._decoder.feed(taken)

    def _keep(self, data: bytes) -> None:
        """Write all of it: a disk that fills takes a part first, and says so only at the next write."""
        left = memoryview(data)
        try:
            while left and self._file is not None:
                left = left[self._file.write(left) :]
        except OSError as error:
            check_room(error, self._folder)
            raise

    @property
    def garbled_bytes(self) -> int:
        """Bytes that belonged to no packet; a sign of a guest that garbles its channel."""
        return self._decoder.garbled_bytes
