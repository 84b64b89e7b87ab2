"""The log of an attempt, read out of its stored stream.

Called by `wheelfarm logs`, the summary and log_pieces. It changes nothing and hands the guest's text on as it is;
whoever shows it makes it harmless.
"""

import codecs
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from farm_images.subunit_stream import Decoder, Event

STEP = "farm:tox"
FILE = "log"
PIECE = 256 * 1024
TAIL_CHARACTERS = 64 * 1024


def read_log(stream: Path, more: Callable[[], bool] = lambda: False) -> Iterator[str]:
    """The log piece by piece; at the end of the file it goes on while `more` says so (and may wait in it).

    A stream that is not there yet is an empty one.
    """
    decoder, text = Decoder(), codecs.getincrementaldecoder("utf-8")("replace")
    position = 0
    while True:
        # Asked before the read: what is written in between is read in the next round, not lost.
        goes_on = more()
        while piece := _read(stream, position):
            position += len(piece)
            yield from _texts(decoder.feed(piece), text)
        if not goes_on:
            yield from _texts(decoder.close(), text)
            return


def log_tail(stream: Path, lines: int) -> str:
    """The last lines of the log, at most 64 Ki characters of them."""
    held: deque[str] = deque()
    size = 0
    for piece in read_log(stream):
        held.append(piece)
        size += len(piece)
        while size - len(held[0]) > TAIL_CHARACTERS:
            size -= len(held.popleft())
    return "\n".join("".join(held)[-TAIL_CHARACTERS:].rstrip().splitlines()[-lines:])


def log_bytes(events: Sequence[Event]) -> bytes:
    """What these events add to the log."""
    return b"".join(
        event.file_bytes
        for event in events
        if event.test_id == STEP and event.file_name == FILE and event.file_bytes
    )


def _texts(events: Sequence[Event], text: codecs.IncrementalDecoder) -> Iterator[str]:
    if found := log_bytes(events):
        yield text.decode(found)


def _read(stream: Path, position: int) -> bytes:
    try:
        with stream.open("rb") as file:
            file.seek(position)
            return file.read(PIECE)
    except FileNotFoundError:
        return b""
