"""The evidence of a run as one subunit v2 stream: the streams of its newest attempts, routed by cell.

Called by the command, and started as `python -m farm_scheduler.evidence_stream` by the API, which parses no guest's
bytes itself. Every packet is read with bounds and written anew: what a guest garbled or a kill cut off would make
other readers swallow the packets behind it. Nothing else is changed; it never judges what the packets say.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from farm_images.subunit_stream import Decoder, Event, encode

CHUNK = 1 << 20
LARGEST_FILE = 1 << 20
"""Bytes of an attachment in one packet: with a longer route a full packet would not fit the format any more."""


class HasEvidence(Protocol):
    """What is read of a cell's report."""

    @property
    def job_id(self) -> str:
        """Its job."""

    @property
    def label(self) -> str:
        """What people see."""

    @property
    def stream_path(self) -> str | None:
        """Where its evidence is, relative to the home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellEvidence:
    """The same, as it comes from another process."""

    job_id: str
    label: str
    stream_path: str | None


def write_evidence(cells: Sequence[HasEvidence], home: Path, stream: BinaryIO) -> list[str]:
    """Write the evidence of every cell; returns the jobs that have none (any more).

    Routes become `CELL/ENVIRONMENT`, such as `py3.12-debian-12/py312`.
    """
    without = []
    for cell in cells:
        path = home / cell.stream_path if cell.stream_path else None
        if path is None or not path.is_file():
            without.append(cell.job_id)
            continue
        for event in _events(path):
            routed = replace(event, route_code=_route(cell, event.route_code))
            stream.writelines(encode(part) for part in _parts(routed))
    return without


def _events(path: Path) -> Iterator[Event]:
    decoder = Decoder()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield from decoder.feed(chunk)
    yield from decoder.close()


def _parts(event: Event) -> Iterator[Event]:
    """The event, its attachment cut into packets that fit; a status comes with the last one."""
    content = event.file_bytes
    if content is None or len(content) <= LARGEST_FILE:
        yield event
        return
    *starts, last = range(0, len(content), LARGEST_FILE)
    for start in starts:
        piece = content[start : start + LARGEST_FILE]
        yield replace(event, file_bytes=piece, status=None, eof=False)
    yield replace(event, file_bytes=content[last:])


def _route(cell: HasEvidence, environment: str | None) -> str:
    name = cell.label.replace(" · ", "-").replace("/", "-")
    return f"{name}/{environment}" if environment else name


def main() -> int:
    """Read `{"home": PATH, "cells": [...]}` from stdin, and write the stream to stdout."""
    wanted = json.load(sys.stdin)
    cells = [CellEvidence(**cell) for cell in wanted["cells"]]
    write_evidence(cells, Path(wanted["home"]), sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
