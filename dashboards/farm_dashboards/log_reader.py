"""Logs and evidence for pages and the API, read by processes of their own.

Called by job_pages and by the API. A guest's stream is hostile, so this process never parses it: a child does,
with a time limit, and only a few at a time. What has not grown since the last piece needs no child at all.
"""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore

from farm_scheduler.evidence_stream import HasEvidence

READ_SECONDS = 20.0
WHOLE_SECONDS = 300.0
CHILDREN = 4
CHUNK = 64 * 1024
LOG = logging.getLogger(__name__)

Piece = dict[str, object]
"""`text`, `skipped`, `cursor` and `more` of a LogPiece."""


class LogReader:
    """The logs below one home; safe between threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._places = BoundedSemaphore(CHILDREN)

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

    def whole(self, stream_path: str) -> Iterator[bytes]:
        """The whole log as UTF-8, in chunks; nothing while too many read."""
        with self._place() as free:
            if not free:
                return
            yield from _output([*_program(self._home / stream_path), "all"], b"")

    def evidence(self, cells: Sequence[HasEvidence]) -> Iterator[bytes]:
        """The evidence of a run as one subunit stream, in chunks; nothing while too many read."""
        told = [
            {"job_id": each.job_id, "label": each.label, "stream_path": each.stream_path} for each in cells
        ]
        wanted = json.dumps({"home": str(self._home), "cells": told}).encode()
        with self._place() as free:
            if free:
                yield from _output([sys.executable, "-m", "farm_scheduler.evidence_stream"], wanted)

    @contextmanager
    def _place(self) -> Iterator[bool]:
        free = self._places.acquire(timeout=READ_SECONDS)
        try:
            yield free
        finally:
            if free:
                self._places.release()


def _output(argv: Sequence[str], told: bytes) -> Iterator[bytes]:
    """What a child writes that is told something on its stdin; it reads all of that first."""
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + WHOLE_SECONDS
    try:
        if child.stdin:
            child.stdin.write(told)
            child.stdin.close()
        while child.stdout and (chunk := child.stdout.read(CHUNK)) and time.monotonic() < deadline:
            yield chunk
    finally:
        child.kill()
        child.wait(timeout=READ_SECONDS)
        if child.stdout:
            child.stdout.close()


def _program(stream: Path) -> list[str]:
    return [sys.executable, "-m", "farm_scheduler.log_pieces", str(stream)]


def _size(stream: Path) -> int:
    try:
        return stream.stat().st_size
    except OSError:
        return 0
