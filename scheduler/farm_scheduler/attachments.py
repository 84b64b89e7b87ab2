"""Attachments of a stream that are read as a whole: small files, put together from their chunks.

Called by results. All of them share one budget, so that a hostile stream cannot fill the host's memory; it
never keeps the log, which is read from the stored stream.
"""

import json
from collections.abc import Mapping
from typing import Any

from farm_scheduler.evidence import CommandEntry, JobEnd

BUDGET = 64 << 20
"""Bytes that are held at once for one attempt; what is beyond is dropped, and the file is then unreadable."""

Place = tuple[str | None, str, str]
"""Environment, id and file name."""


class Attachments:
    """The chunks so far, by place."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._left = budget
        self._files: dict[Place, bytearray] = {}

    def add(self, place: Place, chunk: bytes) -> None:
        """Append a chunk, while the budget lasts."""
        cost = len(chunk) + (0 if place in self._files else 200)
        if cost > self._left:
            return
        self._left -= cost
        self._files.setdefault(place, bytearray()).extend(chunk)

    def content(self, place: Place) -> bytes:
        """What there is of a file; empty when nothing came."""
        return bytes(self._files.get(place, b""))

    def take(self, place: Place) -> bytes:
        """The same, and forget it: its bytes are free again."""
        content = bytes(self._files.pop(place, b""))
        self._left += len(content)
        return content

    def named(self, name: str) -> dict[Place, bytes]:
        """Every file of that name."""
        return {place: bytes(content) for place, content in self._files.items() if place[2] == name}


def text_of(content: bytes, most: int) -> str:
    """The end of a text, without what a database or a terminal could not take."""
    return content[-most:].decode("utf-8", "replace").replace("\0", "\ufffd")


def read_commands(content: bytes) -> tuple[CommandEntry, ...]:
    """The entries of a commands.json; empty when it is none."""
    try:
        return tuple(_command(entry) for entry in json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return ()


def read_job_end(content: bytes) -> JobEnd:
    """The guest's last word; an unreadable one is an end without an exit code, which is never green."""
    try:
        document = json.loads(content)
        seconds = document.get("seconds") or {}
        limit = document.get("limit")
        return JobEnd(
            exit_code=_whole(document.get("exit_code")),
            signal=_whole(document.get("signal")),
            limit=str(limit)[:40] if limit else None,
            cancelled=document.get("cancelled") is True,
            seconds={str(name)[:40]: float(value) for name, value in list(seconds.items())[:50]},
        )
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return JobEnd()


def _command(entry: Mapping[str, Any]) -> CommandEntry:
    return CommandEntry(
        name=str(entry.get("name", "")),
        command=str(entry.get("command", "")),
        exit_code=_whole(entry.get("exit_code")),
        failed=entry.get("failed") is True,
        ignored=entry.get("ignored") is True,
        missing=str(entry["missing"])[:100] if entry.get("missing") else None,
    )


def _whole(value: object) -> int | None:
    return None if value is None else int(str(value))
