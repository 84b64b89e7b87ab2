"""One plain command in a leased clone, from this host: sent, waited for, and what it left behind brought back.

Called by metadata_question and by the comparison with tox by hand. It trusts nothing of what comes back, bounds its
size, and neither leases nor destroys the machine: that is the caller's block.
"""

import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm_images.errors import MachineError
from farm_images.subunit_stream import Decoder, Event
from farm_images.wire import (
    ID_COMMAND,
    ID_ERROR,
    ID_JOB,
    CommandFrame,
    FrameType,
    SourceFrame,
    data_frames,
    encode_frame,
)

GRACE_SECONDS = 60.0
TURN_SECONDS = 0.5
STREAM_BYTES = 256 << 20
_CHUNK = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended.

    Attributes:
        exit_code: None when a signal or a limit ended it.
        limit: the resource that ran out, or None.
        log: what it wrote.
        files: the collected files by their paths in the guest.
    """

    exit_code: int | None
    limit: str | None
    log: str
    files: dict[str, bytes]


def source_frame(path: Path) -> SourceFrame:
    """What a frame says of a source archive."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFrame(bytes=path.stat().st_size, sha256=digest)


def run_command(
    channel: socket.socket,
    frame: CommandFrame,
    source: Path,
    *,
    most: int = STREAM_BYTES,
    turn: Callable[[], None] = lambda: None,
) -> CommandEnd:
    """Run `frame` on the machine behind `channel`; `source` is the archive that the frame announces.

    Args:
        channel: blocking; its agent waits for a job.
        frame: the command.
        source: on this host.
        most: bytes that the machine may say.
        turn: called about twice a second; what it raises ends the wait.

    Raises:
        MachineError: the machine fell silent, said too much, or its agent failed.
    """
    channel.settimeout(60)
    try:
        channel.sendall(encode_frame(FrameType.JOB, frame.payload()))
        for data in data_frames(_chunks(source)):
            channel.sendall(data)
            turn()
        return _read(channel, time.monotonic() + frame.limits.seconds + GRACE_SECONDS, most, turn)
    except OSError as error:
        raise MachineError(f"the machine's channel failed amid a command: {error}") from error


def _read(channel: socket.socket, deadline: float, most: int, turn: Callable[[], None]) -> CommandEnd:
    attachments: dict[tuple[str, str], bytearray] = {}
    decoder, received = Decoder(), 0
    channel.settimeout(TURN_SECONDS)
    while received < most:
        turn()
        if time.monotonic() > deadline:
            raise MachineError("the machine did not end its command in time.")
        try:
            data = channel.recv(1 << 16)
        except TimeoutError:
            continue
        if not data:
            raise MachineError("the machine ended amid a command.")
        received += len(data)
        for event in decoder.feed(data):
            _keep(event, attachments)
            if event.test_id == ID_JOB and event.status is not None:
                return _end(attachments)
    raise MachineError(f"the machine said more than {most} bytes.")


def _keep(event: Event, attachments: dict[tuple[str, str], bytearray]) -> None:
    if event.test_id is not None and event.file_name is not None and event.file_bytes is not None:
        attachments.setdefault((event.test_id, event.file_name), bytearray()).extend(event.file_bytes)


def _end(attachments: dict[tuple[str, str], bytearray]) -> CommandEnd:
    if (ID_ERROR, "text") in attachments:
        raise MachineError(attachments[ID_ERROR, "text"].decode(errors="replace"))
    try:
        job: dict[str, Any] = json.loads(attachments.get((ID_JOB, "job.json"), b""))
        exit_code, limit = job["exit_code"], job["limit"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MachineError("the machine's agent did not say how its command ended.") from error
    return CommandEnd(
        exit_code=exit_code if isinstance(exit_code, int) else None,
        limit=None if limit is None else str(limit)[:100],
        log=attachments.get((ID_COMMAND, "log"), b"").decode(errors="replace"),
        files={
            name: bytes(content)
            for (step, name), content in attachments.items()
            if step == ID_COMMAND and name.startswith("/")
        },
    )


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
