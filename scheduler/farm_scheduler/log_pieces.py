"""The log of an attempt for a page: from its end on, piece by piece as it grows, made harmless.

Started as `python -m farm_scheduler.log_pieces STREAM …` by the pages: what a guest wrote is parsed in a process of
its own, never in the API's. A cursor holds all that the next piece needs, so nobody keeps anything between two pieces.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from farm_images.subunit_stream import Decoder
from farm_scheduler.guest_text import clean
from farm_scheduler.job_log import log_bytes, read_log

WINDOW = 8 << 20
"""Bytes of the stream that are read for one piece: more than the largest packet, so that each piece gets on."""

LARGEST_TEXT = 256 << 10
"""Bytes of log in one piece; of more the end is given."""

LONGEST_HELD = 1024
"""Bytes of a line that has not ended which are held back: an escape sequence may be cut in two."""

CURSOR = re.compile(r"(\d{1,15})\.((?:[0-9a-f]{2}){0,1024})")
"""Where to go on in the stream, and the line that is held back, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPiece:
    """A piece of the log.

    Attributes:
        text: whole lines, harmless.
        skipped: whether there is text before it that no piece gave.
        cursor: for the next piece.
        more: whether there is more already.
    """

    text: str
    skipped: bool
    cursor: str
    more: bool


def read_piece(stream: Path, cursor: str | None, *, ended: bool) -> LogPiece:
    """What came after `cursor`; without one, the end of what there is. `ended`: the stream does not grow any more.

    A stream that is not there is an empty one.

    Raises:
        ValueError: the cursor is none of ours.
    """
    size = stream.stat().st_size if stream.exists() else 0
    position, held = _read_cursor(cursor) if cursor else (max(0, size - WINDOW), b"")
    inside = cursor is None and position > 0
    data = _read(stream, position)
    decoder = Decoder()
    events = [*decoder.feed(data), *decoder.close()]
    position += len(data) - decoder.truncated_bytes
    text = held + log_bytes(events)
    more = position + decoder.truncated_bytes < size
    whole, held = (text, b"") if ended and not more else _whole_lines(text)
    if inside or len(whole) > LARGEST_TEXT:
        whole = whole[-LARGEST_TEXT:].partition(b"\n")[2]
        inside = True
    shown = clean(whole.decode("utf-8", "replace"))
    return LogPiece(text=shown, skipped=inside, cursor=f"{position}.{held.hex()}", more=more)


def _whole_lines(text: bytes) -> tuple[bytes, bytes]:
    """Up to the last line end, and the rest; a rest that is too long to hold is not held."""
    lines, newline, rest = text.rpartition(b"\n")
    return (text, b"") if len(rest) > LONGEST_HELD else (lines + newline, rest)


def _read_cursor(cursor: str) -> tuple[int, bytes]:
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise ValueError(cursor)
    return int(found[1]), bytes.fromhex(found[2])


def _read(stream: Path, position: int) -> bytes:
    try:
        with stream.open("rb") as file:
            file.seek(position)
            return file.read(WINDOW)
    except FileNotFoundError:
        return b""


def write_whole(stream: Path) -> None:
    """Write the whole log to stdout, harmless."""
    held = ""
    for piece in read_log(stream):
        lines, newline, held = (held + piece).rpartition("\n")
        if newline:
            sys.stdout.buffer.write((clean(lines) + "\n").encode())
    sys.stdout.buffer.write(clean(held).encode())


def main(arguments: Sequence[str]) -> int:
    """`STREAM all`: the whole log as text. `STREAM growing|ended [CURSOR]`: one piece as a JSON object."""
    path, mode, *cursor = arguments
    if mode == "all":
        write_whole(Path(path))
        return 0
    piece = read_piece(Path(path), cursor[0] if cursor else None, ended=mode == "ended")
    sys.stdout.write(json.dumps(asdict(piece)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
