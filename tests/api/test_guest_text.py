"""Text of guests on people's screens."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.guest_text import clean, clean_line, tail


def test_colours_and_titles_are_dropped():
    """Whole escape sequences vanish, as a terminal would show nothing of them."""
    assert clean("\x1b[1;31mred\x1b[0m \x1b]0;title\x07x \x1b]8;;http://a\x1b\\link\x1b(B") == "red x link"


def test_what_is_left_of_a_broken_sequence_is_spelled_out():
    """A lone escape, a backspace, a bell and a C1 control are shown as their numbers."""
    assert clean("a\x1b\nb\x08\x07\x9b") == "a\\x1b\nb\\x08\\x07\\x9b"


def test_text_cannot_run_backwards():
    """Bidirectional overrides and invisible characters are spelled out."""
    assert clean("\u202etxt.exe\u2066\u200b\ufeff") == "\\u202etxt.exe\\u2066\\u200b\\ufeff"


def test_letters_of_all_languages_stay():
    """Printing characters are left alone."""
    assert clean("größer → 試験 ✓") == "größer → 試験 ✓"


def test_lines_are_kept_and_progress_bars_become_lines():
    """Line ends of every kind give lines; a carriage return starts one."""
    assert clean("a\r\nb\rc\nd").split("\n") == ["a", "b", "c", "d"]


def test_one_line_stays_one_line():
    """A name with breaks in it takes one line of a table."""
    assert clean_line(" a\n\tb\r c ") == "a b c"


def test_a_tail_is_the_last_lines_that_say_something():
    """Empty lines at the end do not push the rest out."""
    assert tail("1\n2\n3\n\n\n", 2) == "2\n3"


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_but_printing_characters_is_left(text):
    """Whatever comes in, no control, format, surrogate or unassigned character comes out."""
    found = {unicodedata.category(character) for character in clean(text) if character != "\n"}
    assert not found & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(
    st.lists(st.sampled_from(["\x1b[", "\x1b]", "\x9b", "3", "1m", "\x07", "\x1b\\", "x", ";", "\r", "\n"]))
)
def test_no_escape_survives_whatever_it_is_made_of(pieces):
    """Pieces of escape sequences, put together anyhow, never make one that comes out."""
    assert not {"\x1b", "\x9b", "\x07", "\r"} & set(clean("".join(pieces)))
