"""Waiting and reading files, in both kinds of code: the two places where they differ by more than `await`.

Called by connection and farm; the generated twin calls the plain ones. A backend (asyncio, trio) is imported when it is
used, never before.
"""

import hashlib
import time
from pathlib import Path
from typing import BinaryIO, Tuple

CHUNK = 1024 * 1024


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def read_piece(stream: BinaryIO, offset: int, size: int) -> bytes:
    """A piece of a file."""
    stream.seek(offset)
    return stream.read(size)


def measure(path: Path) -> Tuple[int, str]:
    """The bytes of a file, and its SHA-256 in hex."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while True:
            piece = stream.read(CHUNK)
            if not piece:
                return size, digest.hexdigest()
            digest.update(piece)
            size += len(piece)


async def pause_async(seconds: float) -> None:
    """Wait, and let others work."""
    import anyio

    await anyio.sleep(seconds)


async def read_piece_async(stream: BinaryIO, offset: int, size: int) -> bytes:
    """A piece of a file, read in a thread."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(read_piece, stream, offset, size)


async def measure_async(path: Path) -> Tuple[int, str]:
    """The same in a thread."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(measure, path)
