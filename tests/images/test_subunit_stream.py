"""The subunit v2 stream: python-subunit and we read each other; hostile bytes do no harm."""

import io
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import subunit.v2
from hypothesis import given
from hypothesis import strategies as st

from farm_images.errors import WireError
from farm_images.subunit_stream import Bounds, Decoder, Event, encode

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2105, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis wants naive bounds)
STATUSES = st.sampled_from(["exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail", None])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event that the format can hold."""
    attached = draw(st.booleans())
    return Event(
        test_id=draw(st.none() | TEXT),
        status=draw(STATUSES),
        tags=draw(st.frozensets(TEXT, max_size=5)),
        runnable=draw(st.booleans()),
        file_name=draw(TEXT) if attached else None,
        file_bytes=draw(st.binary(max_size=300)) if attached else None,
        mime_type=draw(st.none() | TEXT.filter(bool)),
        eof=draw(st.booleans()),
        route_code=draw(st.none() | TEXT),
        timestamp=draw(st.none() | TIMES),
    )


class Collector:
    """A StreamResult that keeps what python-subunit's parser tells it, as our events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def status(self, *, test_status: Any, test_tags: Any, file_bytes: Any, **rest: Any) -> None:
        """One event of testtools' StreamResult protocol."""
        content = None if file_bytes is None else bytes(file_bytes)
        self.events.append(
            Event(status=test_status, tags=frozenset(test_tags or ()), file_bytes=content, **rest)
        )


def theirs(event: Event) -> bytes:
    """The packet that python-subunit makes of an event."""
    sink = io.BytesIO()
    subunit.v2.StreamResultToBytes(sink).status(
        test_id=event.test_id,
        test_status=event.status,
        test_tags=event.tags,
        runnable=event.runnable,
        file_name=event.file_name,
        file_bytes=event.file_bytes,
        eof=event.eof,
        mime_type=event.mime_type,
        route_code=event.route_code,
        timestamp=event.timestamp,
    )
    return sink.getvalue()


def packet(number: int = 0) -> bytes:
    """A small packet of ours."""
    return encode(Event(test_id=f"test {number}", status="success"))


def test_the_known_vector() -> None:
    """The packet of an enumerated test `foo` is the one that python-subunit documents."""
    assert encode(Event(test_id="foo", status="exists")).hex() == "b329010c03666f6f08555f1b"


@given(events())
def test_python_subunit_reads_what_we_write(event: Event) -> None:
    """Every event that we encode is the same event in python-subunit."""
    collector = Collector()
    subunit.v2.ByteStreamToStreamResult(io.BytesIO(encode(event))).run(collector)
    assert collector.events == [event]


@given(st.lists(events(), max_size=5), st.integers(1, 40))
def test_we_read_what_python_subunit_writes(written: list[Event], size: int) -> None:
    """Whatever the sizes in which its bytes arrive, python-subunit's events come out whole and in order."""
    stream = b"".join(map(theirs, written))
    decoder = Decoder()
    read = [
        event for start in range(0, len(stream), size) for event in decoder.feed(stream[start : start + size])
    ]
    assert read + decoder.close() == written
    assert (decoder.garbled_bytes, decoder.truncated_bytes) == (0, 0)


@given(
    st.lists(st.tuples(st.binary(max_size=50).filter(lambda junk: b"\xb3" not in junk), events()), max_size=4)
)
def test_garbage_between_packets_is_counted(pieces: list[tuple[bytes, Event]]) -> None:
    """Bytes outside packets are counted, and no packet behind them is lost."""
    decoder = Decoder()
    read = decoder.feed(b"".join(junk + encode(event) for junk, event in pieces)) + decoder.close()
    assert read == [event for _, event in pieces]
    assert decoder.garbled_bytes == sum(len(junk) for junk, _ in pieces)


@given(st.binary(max_size=400), st.integers(1, 50))
def test_arbitrary_bytes_never_raise(junk: bytes, size: int) -> None:
    """Any bytes at all end as events, garbled or truncated bytes, with a real packet behind them found."""
    decoder = Decoder()
    for start in range(0, len(junk), size):
        decoder.feed(junk[start : start + size])
    decoder.feed(packet())
    decoder.close()


@given(events(), st.data())
def test_a_flipped_bit_costs_one_packet(event: Event, data: st.DataObject) -> None:
    """A damaged packet is lost and counted; the packets after it are not."""
    raw = bytearray(encode(event))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    decoder = Decoder()
    read = decoder.feed(bytes(raw) + packet(1) * 3) + decoder.close()
    assert read[-3:] == [Event(test_id="test 1", status="success")] * 3
    assert event not in read


def test_a_packet_cut_short_does_not_eat_the_next() -> None:
    """A truncated packet that claims the bytes of its successors gives them back when its checksum fails."""
    cut = encode(Event(file_name="log", file_bytes=b"x" * 5000))[:100]
    decoder = Decoder()
    read = decoder.feed(cut + packet() * 400)
    assert read == [Event(test_id="test 0", status="success")] * 400
    assert decoder.garbled_bytes == 100


def test_a_stream_cut_inside_a_packet() -> None:
    """The end of the stream inside a packet is told as truncated, not as garbled, bytes."""
    decoder = Decoder()
    decoder.feed(packet() + packet()[:-1])
    assert decoder.close() == []
    assert (decoder.garbled_bytes, decoder.truncated_bytes) == (0, len(packet()) - 1)


def test_packets_behind_a_false_start_at_the_end() -> None:
    """Packets behind a header that claims more than ever came are found when the stream closes."""
    false = b"\xb3\x20\x40\xbf\xff\xff"
    decoder = Decoder()
    assert decoder.feed(false + packet() * 2) == []
    assert len(decoder.close()) == 2
    assert (decoder.garbled_bytes, decoder.truncated_bytes) == (len(false), 0)


@pytest.mark.parametrize(
    "event",
    [
        Event(test_id="x" * 101),
        Event(route_code="x" * 21),
        Event(tags=frozenset("abcd")),
        Event(file_name="f", file_bytes=b"x" * 1000),
    ],
    ids=["id", "text", "tags", "packet"],
)
def test_bounds(event: Event) -> None:
    """A packet beyond a bound is garbled bytes, and the next one is read."""
    decoder = Decoder(Bounds(packet=900, test_id=100, text=20, tags=3))
    assert decoder.feed(encode(event) + packet()) == [Event(test_id="test 0", status="success")]
    assert decoder.garbled_bytes == len(encode(event))


HOSTILE = {
    "headers": b"\xb3\x2f\x00\xb3\xff\xff" * 200_000,
    "overlapping": b"\xb3\x2f\xb3" * 400_000,
    "ids": b"\xb3\x28\x00\xbf\xff\xff\x7f\xff" * 150_000,
    "nested": b"".join(
        b"\xb3\x20\x40\xbf\xff\xff\x01a" + ((4_194_303 - 15) | 0xC0000000).to_bytes(4) for _ in range(150_000)
    ),
    "signatures": b"\xb3" * 4_194_304,
}


@pytest.mark.parametrize("junk", HOSTILE.values(), ids=HOSTILE)
def test_hostile_bytes_cost_no_more_than_their_length(junk: bytes) -> None:
    """Megabytes made to look like packets are gone through in seconds."""
    started = time.process_time()
    decoder = Decoder()
    decoder.feed(junk)
    decoder.feed(junk)
    decoder.close()
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "event",
    [
        Event(test_id="a\0b"),
        Event(test_id="\udc80"),
        Event(file_name="f"),
        Event(file_bytes=b""),
        Event(file_name="f", file_bytes=bytes(4_194_303)),
        Event(timestamp=datetime(1969, 12, 31, tzinfo=UTC)),
    ],
    ids=["nul", "surrogate", "no bytes", "no name", "too long", "before 1970"],
)
def test_what_does_not_fit_the_format(event: Event) -> None:
    """An event that the format cannot hold is refused with an error that says why."""
    with pytest.raises(WireError):
        encode(event)
