"""The tox plugin's splitter of a command's output: packets are found, and text is kept, however the bytes come."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

import farm_images
from farm_images.subunit_stream import Event, encode

FOLDER = Path(farm_images.__file__).parent / "guest_plugins/tox_plugin"


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("wheelfarm_subunit", FOLDER / "wheelfarm_subunit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SUBUNIT = _module()
PACKET = st.builds(
    lambda name, size: encode(Event(test_id=name, file_name="log", file_bytes=bytes(size), status="fail")),
    st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), min_size=1, max_size=20),
    st.integers(0, 300),
)
TEXT = st.one_of(st.text(max_size=30).map(lambda text: text.encode(errors="replace")), st.binary(max_size=30))
PIECES = st.lists(st.tuples(st.booleans(), PACKET, TEXT), max_size=8)


def split(data: bytes, size: int) -> tuple[bytes, list[bytes]]:
    """What the splitter makes of the bytes when they come in parts of this size."""
    splitter = SUBUNIT.Splitter()
    answers = [splitter.feed(data[start : start + size]) for start in range(0, len(data), size)]
    answers.append(splitter.close())
    return b"".join(text for text, _ in answers), [each for _, packets in answers for each in packets]


@given(pieces=PIECES, size=st.integers(1, 400))
def test_every_byte_comes_out_once(pieces: list[tuple[bool, bytes, bytes]], size: int) -> None:
    """Text and packets together are the bytes that came, in any parts, and every packet is one that went in."""
    data = b"".join(packet if is_packet else text for is_packet, packet, text in pieces)
    text, packets = split(data, size)
    assert (text, packets) == split(data, len(data) or 1)
    assert len(text) + sum(map(len, packets)) == len(data)
    assert set(packets) <= {packet for is_packet, packet, _ in pieces if is_packet}


@given(pieces=st.lists(st.tuples(PACKET, st.text(st.characters(exclude_categories=["Cs"]))), max_size=8))
def test_packets_between_texts_are_found(pieces: list[tuple[bytes, str]]) -> None:
    """Between texts in UTF-8, whatever their last characters, every packet is found and every text is whole."""
    text, packets = split(b"".join(packet + text.encode() for packet, text in pieces), 64)
    assert packets == [packet for packet, _ in pieces]
    assert text == "".join(text for _, text in pieces).encode()


@pytest.mark.parametrize("text", ["ó is a word", "3³ - ³ !", "\U0001f333 ) !", "größer"])
def test_text_is_never_held_back(text: str) -> None:
    """A signature's byte inside a character of UTF-8 does not delay the text."""
    assert SUBUNIT.Splitter().feed(text.encode()) == (text.encode(), [])
