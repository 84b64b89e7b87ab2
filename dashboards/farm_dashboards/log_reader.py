"""Logs and evidence for pages and the API, read by processes of their own.

Called by job_pages and by the API. A guest's stream is hostile, so this process never parses it: a child does,
with a time limit, and only a few at a time. What has not grown since the last piece needs no child at all.
"""

import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

from anyio.to_thread import run_sync

from farm_dashboards.places import HeldResponse, Places
from farm_scheduler.evidence_stream import HasEvidence

READ_SECONDS = 20.0
WAIT_SECONDS = 3.0
"""For a place to read a piece: who waits holds a thread that serves others."""

WHOLE_SECONDS = 300.0
"""How long a client may take for a whole log."""

CHILDREN = 4
"""That read pieces at once."""

DOWNLOADS = 8
DOWNLOADS_EACH = 2
CHUNK = 64 * 1024
LOG = logging.getLogger(__name__)

Piece = dict[str, object]
"""`text`, `skipped`, `cursor` and `more` of a LogPiece."""


class LogReader:
    """The logs below one home; safe between threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._places = BoundedSemaphore(CHILDREN)
        self._downloads = Places("logs", DOWNLOADS, DOWNLOADS_EACH)

    def piece(self, stream_path: str, cursor: str | None, *, ended: bool) -> Piece | None:
        """What came after the cursor; None when it cannot be read now, so that the asker tries again."""
        stream = self._home / stream_path
        if cursor is not None and not ended and _size(stream) <= int(cursor.partition(".")[0]):
            return {"text": "", "skipped": False, "cursor": cursor, "more": False}
        argv = [*_program(stream), "ended" if ended else "growing", *([cursor] if cursor else [])]
        with self._place() as free:
            if not free:
                return None
            try:
                answer = subprocess.run(argv, capture_output=True, timeout=READ_SECONDS, check=True)
            except (subprocess.SubprocessError, OSError) as error:
                LOG.warning("the log of %s cannot be read: %s", stream.name, error)
                return None
        found: Piece = json.loads(answer.stdout)
        return found

    def whole(self, stream_path: str, client: str) -> "Reading":
        """The whole log as UTF-8.

        Raises:
            TooBusyError: this client, or all together, read as many as they may.
        """
        return Reading([*_program(self._home / stream_path), "all"], b"", self._downloads.take(client))

    def evidence(self, cells: Sequence[HasEvidence], client: str) -> "Reading":
        """The evidence of a run as one subunit stream. Raises as whole."""
        told = [
            {"job_id": each.job_id, "label": each.label, "stream_path": each.stream_path} for each in cells
        ]
        wanted = json.dumps({"home": str(self._home), "cells": told}).encode()
        argv = [sys.executable, "-m", "farm_scheduler.evidence_stream"]
        return Reading(argv, wanted, self._downloads.take(client))

    @contextmanager
    def _place(self) -> Iterator[bool]:
        free = self._places.acquire(timeout=WAIT_SECONDS)
        try:
            yield free
        finally:
            if free:
                self._places.release()


class Reading:
    """What a child writes that is told something on its stdin; it reads all of that first. Close it.

    Args:
        argv: the child.
        told: what it is told.
        give_back: gives its place back.
    """

    def __init__(self, argv: Sequence[str], told: bytes, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        try:
            self._child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError:
            give_back()
            raise
        self._told = told

    def response(self, media_type: str) -> HeldResponse:
        """The answer that sends it, and closes this."""
        return HeldResponse(self._chunks(), self.close, seconds=WHOLE_SECONDS, media_type=media_type)

    def close(self) -> None:
        """End the child, and give its place back."""
        self._child.kill()
        self._child.wait(timeout=READ_SECONDS)
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._give_back()

    async def _chunks(self) -> AsyncIterator[bytes]:
        # Whoever waits for the child is not waited for: when this is closed, the child's end is the thread's as well.
        await run_sync(self._tell, abandon_on_cancel=True)
        while chunk := await run_sync(self._read, abandon_on_cancel=True):
            yield chunk

    def _tell(self) -> None:
        with contextlib.suppress(OSError):  # it has ended, and what it wrote is what there is
            if self._child.stdin is not None:
                self._child.stdin.write(self._told)
                self._child.stdin.close()

    def _read(self) -> bytes:
        with contextlib.suppress(ValueError):  # closed
            return self._child.stdout.read(CHUNK) if self._child.stdout is not None else b""
        return b""


def _program(stream: Path) -> list[str]:
    return [sys.executable, "-m", "farm_scheduler.log_pieces", str(stream)]


def _size(stream: Path) -> int:
    try:
        return stream.stat().st_size
    except OSError:
        return 0
