"""The log of an attempt, piece by piece."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_images.subunit_stream import Event, encode
from farm_scheduler import log_pieces
from farm_scheduler.log_pieces import read_piece


def packet(content):
    """A packet of the log."""
    return encode(Event(test_id="farm:tox", runnable=False, file_name="log", file_bytes=content))


def follow(path, stream, cuts):
    """The log as a page sees it that looks after each of these cuts of the growing stream."""
    text, cursor = "", None
    for end in [*sorted(cuts), len(stream)]:
        path.write_bytes(stream[:end])
        for ended in [False] if end < len(stream) else [False, True]:
            piece = read_piece(path, cursor, ended=ended)
            text, cursor = text + piece.text, piece.cursor
    return text


@given(st.lists(st.integers(0, 2000), max_size=6), st.integers(1, 60))
def test_pieces_make_up_the_log_wherever_they_are_cut(tmp_path_factory, cuts, size):
    """Whatever moments a page looks at, it gets every line once and whole, also where packets were cut."""
    log = "".join(f"\x1b[32mgrün\x1b[0m {number} ✓\n" for number in range(60)) + "the end"
    content = log.encode()
    stream = b"".join(packet(content[place : place + size]) for place in range(0, len(content), size))
    path = tmp_path_factory.mktemp("log") / "s"
    wanted = log.replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert follow(path, stream, [min(cut, len(stream)) for cut in cuts]) == wanted


def test_garbage_does_not_stop_a_page(tmp_path):
    """What is no packet is passed over, and the log goes on behind it."""
    path = tmp_path / "s"
    path.write_bytes(packet(b"one\n") + b"\xb3garbage" + packet(b"two\n"))
    assert read_piece(path, None, ended=True).text == "one\ntwo\n"


def test_a_long_log_begins_near_its_end(tmp_path, monkeypatch):
    """The first piece is the end of what there is, begins with a whole line, and says what it left out."""
    monkeypatch.setattr(log_pieces, "LARGEST_TEXT", 1000)
    path = tmp_path / "s"
    path.write_bytes(b"".join(packet(b"line %d\n" % number) for number in range(5000)))
    piece = read_piece(path, None, ended=False)
    assert piece.skipped
    assert len(piece.text) <= 1000
    assert piece.text.startswith("line 4")
    assert piece.text.endswith("line 4999\n")


def test_a_stream_that_is_not_there_is_empty(tmp_path):
    """Before the first byte there is a piece without text, and a cursor to go on with."""
    piece = read_piece(tmp_path / "s", None, ended=False)
    assert (piece.text, piece.cursor, piece.more) == ("", "0.", False)


@pytest.mark.parametrize("cursor", ["x", "1", "1.zz", "-1.", "1." + "00" * 2000])
def test_a_cursor_of_somebody_else_is_refused(tmp_path, cursor):
    """Only what a piece gave is taken."""
    with pytest.raises(ValueError, match=re.escape(cursor)):
        read_piece(tmp_path / "s", cursor, ended=False)
