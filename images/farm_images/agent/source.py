"""The source archive on its way in: DATA frames to a file, counted and hashed.

Used by `job`. It never opens the archive: that is done by the job's user (`unpacking`).
"""

import hashlib
import time
from pathlib import Path

from farm_images.agent.channel import Channel
from farm_images.wire import FrameType, SourceFrame

_SILENCE_SECONDS = 120.0


class SourceError(Exception):
    """The source did not arrive as announced: the farm's fault, not the project's."""


class CancelledError(Exception):
    """The host does not want the job any more."""


def receive(channel: Channel, announced: SourceFrame, path: Path) -> None:
    """Write the source to a file, up to the empty DATA frame.

    Raises:
        SourceError: too long, too short, another digest, or silence.
        CancelledError: CANCEL came instead.
    """
    digest = hashlib.sha256()
    received = 0
    with path.open("wb") as file:
        while data := _next_data(channel):
            received += len(data)
            if received > announced.bytes:
                raise SourceError(f"more than the announced {announced.bytes} bytes of source came")
            digest.update(data)
            file.write(data)
    if received != announced.bytes or digest.hexdigest() != announced.sha256:
        raise SourceError(f"{received} bytes of source came with another digest or length than announced")


def _next_data(channel: Channel) -> bytes:
    deadline = time.monotonic() + _SILENCE_SECONDS
    frame = channel.next_frame(deadline - time.monotonic())
    if frame is None:
        raise SourceError(f"no source came for {_SILENCE_SECONDS:.0f} s")
    if frame.type is FrameType.CANCEL:
        raise CancelledError
    if frame.type is not FrameType.DATA:
        raise SourceError(f"a {frame.type.name} frame came amid the source")
    return frame.payload
