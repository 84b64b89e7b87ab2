"""The subunit v2 stream: one event, its bytes, and a parser that hostile bytes cannot hurt.

Used by the guest agent (to write the stream, and to read what the plugins say) and by the host (to read
what leaves a machine). Standard library only, as it is part of the agent's archive. It never reads or writes
a file or socket, never raises on the bytes it is fed, and never joins the chunks of an attachment: that is
the caller's.

Format: https://github.com/testing-cabal/subunit, "Subunit v2". Strict where python-subunit is lax: the
version must be 2, the reserved flag 0, and the fields must fill the packet exactly.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from farm_images.errors import WireError

Status = Literal["exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail"]

MAX_PACKET: Final = 4_194_303
"""Bytes of the longest packet that the format can express in its three byte length."""

_STATUSES: Final[tuple[Status | None, ...]] = (
    None, "exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail",
)  # fmt: skip
_STATUS_BITS: Final[dict[str | None, int]] = {status: bits for bits, status in enumerate(_STATUSES)}
_SIGNATURE: Final = 0xB3
_VERSION: Final = 0x2000
_RESERVED: Final = 0x0008
_TEST_ID: Final = 0x0800
_ROUTE_CODE: Final = 0x0400
_TIMESTAMP: Final = 0x0200
_RUNNABLE: Final = 0x0100
_TAGS: Final = 0x0080
_FILE_CONTENT: Final = 0x0040
_MIME_TYPE: Final = 0x0020
_EOF: Final = 0x0010
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TAGS: Final[frozenset[str]] = frozenset()
# The start of a packet, or of what may become one: version 2, reserved flag 0, at most three bytes of length.
_HEADER: Final = re.compile(
    rb"\xb3(?:\Z|[\x20-\x2f](?:\Z|[%b](?:\Z|[\x00-\xbf])))"
    % re.escape(bytes(flags for flags in range(256) if not flags & _RESERVED)),
    re.DOTALL,
)
_SHORTEST: Final = 8  # signature, flags, one byte of length, CRC


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What one packet says.

    Attributes:
        test_id: the test or step, or None for a packet about the stream itself.
        status: None if the packet only carries a part of an attachment.
        tags: empty when the packet has none.
        runnable: False for what cannot be asked for as a test; the farm's steps.
        file_name: name of the attachment that `file_bytes` belongs to; both or neither are None.
        file_bytes: one chunk; the chunks of one (route, id, file name) are joined in order.
        mime_type: of the attachment.
        eof: no more of this attachment, or of this id, follows.
        route_code: where the event comes from; in a farm stream the tox environment.
        timestamp: aware, UTC, microseconds (the format's nanoseconds are cut).
    """

    test_id: str | None = None
    status: Status | None = None
    tags: frozenset[str] = frozenset()
    runnable: bool = True
    file_name: str | None = None
    file_bytes: bytes | None = None
    mime_type: str | None = None
    eof: bool = False
    route_code: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a decoder accepts, in bytes or a number of tags; a packet beyond is skipped as garbled."""

    packet: int = MAX_PACKET
    test_id: int = 16_384
    text: int = 1_024
    tags: int = 64


def encode(event: Event) -> bytes:
    """The packet of an event.

    Raises:
        WireError: the event does not fit the format: a packet over 4,194,303 bytes (send the attachment in
            chunks), NUL in a text, a file name without bytes, a time before 1970 or after 2105.
    """
    flags = _VERSION | _STATUS_BITS[event.status]
    parts: list[bytes] = []
    if event.timestamp is not None:
        flags |= _TIMESTAMP
        parts.append(_encode_time(event.timestamp))
    if event.test_id is not None:
        flags |= _TEST_ID
        parts.append(_encode_text(event.test_id))
    if event.tags:
        flags |= _TAGS
        parts.append(_encode_number(len(event.tags)))
        parts.extend(map(_encode_text, sorted(event.tags)))
    if event.mime_type is not None:
        flags |= _MIME_TYPE
        parts.append(_encode_text(event.mime_type))
    if (event.file_name is None) is not (event.file_bytes is None):
        raise WireError("An attachment needs both a name and bytes; give both or neither.")
    if event.file_name is not None and event.file_bytes is not None:
        flags |= _FILE_CONTENT
        parts += (_encode_text(event.file_name), _encode_number(len(event.file_bytes)), event.file_bytes)
    if event.route_code is not None:
        flags |= _ROUTE_CODE
        parts.append(_encode_text(event.route_code))
    if event.runnable:
        flags |= _RUNNABLE
    if event.eof:
        flags |= _EOF
    return _frame(flags, b"".join(parts))


def _frame(flags: int, body: bytes) -> bytes:
    length = len(body) + 7  # all but the length field itself
    length += 1 if length <= 62 else 2 if length <= 16_381 else 3
    if length > MAX_PACKET:
        raise WireError(
            f"A packet of {length} bytes is over {MAX_PACKET}: send the attachment in chunks.", bytes=length
        )
    head = struct.pack(">BH", _SIGNATURE, flags) + _encode_number(length)
    return b"".join((head, body, zlib.crc32(body, zlib.crc32(head)).to_bytes(4)))


def _encode_number(value: int) -> bytes:
    if value < 0x40:
        return value.to_bytes(1)
    if value < 0x4000:
        return (value | 0x4000).to_bytes(2)
    if value < 0x400000:
        return (value | 0x800000).to_bytes(3)
    if value < 0x40000000:
        return (value | 0xC0000000).to_bytes(4)
    raise WireError(f"{value} is too large for a number in subunit v2.", value=value)


def _encode_text(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise WireError("A text for the stream holds a lone surrogate; replace it first.") from error
    if 0 in raw:
        raise WireError("A text for the stream holds a NUL character; replace it first.")
    return _encode_number(len(raw)) + raw


def _encode_time(moment: datetime) -> bytes:
    seconds, rest = divmod(moment - _EPOCH, timedelta(seconds=1))
    if not 0 <= seconds <= 0xFFFFFFFF:
        raise WireError("A time for the stream must lie between 1970 and 2105.", seconds=seconds)
    return seconds.to_bytes(4) + _encode_number(rest.microseconds * 1000)


class _MalformedError(Exception):
    """The bytes at this place are no packet."""


class Decoder:
    """An incremental parser of one stream, for bytes from anyone.

    Feed it whatever arrives. It skips what is no packet and goes on at the next one that is. The work is
    linear in the bytes fed, memory is one packet at most: a packet whose checksum is wrong is searched for
    packets inside it (it may have been cut short) only while such searches are cheap beside the stream; then
    it is skipped whole.

    Attributes:
        garbled_bytes: bytes so far that belong to no packet.
        truncated_bytes: after `close`, the bytes of a packet that the end of the stream cut off; they are not
            counted as garbled.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self.garbled_bytes = 0
        self.truncated_bytes = 0
        self._bounds = bounds or Bounds()
        self._buffer = bytearray()
        self._search_credit = 4 * self._bounds.packet

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete, in order."""
        self._buffer += data
        self._search_credit = min(self._search_credit + len(data), 4 * self._bounds.packet)
        events: list[Event] = []
        del self._buffer[: self._scan(events, 0)]
        return events

    def close(self) -> list[Event]:
        """End of stream: the events found behind a start that never became a packet; usually none."""
        events: list[Event] = []
        position = tail = 0
        garbled = self.garbled_bytes
        while position < len(self._buffer):
            found = len(events)
            position = self._scan(events, position)
            if len(events) > found:
                tail, garbled = position, self.garbled_bytes
            position += 1
            self.garbled_bytes += 1
        self.truncated_bytes = len(self._buffer) - tail
        self.garbled_bytes = garbled
        self._buffer.clear()
        return events

    def _scan(self, events: list[Event], position: int) -> int:
        """Reads on from a position; returns where the first incomplete packet starts."""
        buffer = self._buffer
        while True:
            found = _HEADER.search(buffer, position)
            start = found.start() if found else len(buffer)
            self.garbled_bytes += start - position
            position = start
            try:
                length = self._length_at(position)
                if length is None or len(buffer) - position < length:
                    return position
                event = self._packet_at(position, length)
            except _MalformedError:
                event, length = None, 1
            if event is None:
                length = self._damaged(length)
                self.garbled_bytes += length
            else:
                events.append(event)
            position += length

    def _packet_at(self, position: int, length: int) -> Event | None:
        """The event of a whole packet, or None if its checksum is wrong. Raises _MalformedError."""
        end = position + length - 4
        fields = _Fields(self._buffer, position, end, self._bounds)
        with memoryview(self._buffer) as view, view[position:end] as covered:
            if zlib.crc32(covered) != int.from_bytes(view[end : end + 4]):
                return None
        return fields.event()

    def _damaged(self, length: int) -> int:
        """How far to skip: one byte, to search inside; the whole packet once searching has become dear."""
        if self._search_credit < length:
            return length
        self._search_credit -= length
        return 1

    def _length_at(self, position: int) -> int | None:
        """The packet length that a header claims, or None while the header is not complete."""
        head = self._buffer[position : position + 6]
        if len(head) < 4:
            return None
        size = head[3] >> 6
        if len(head) < 4 + size:
            return None
        length = int.from_bytes(head[3 : 4 + size]) & ~(0xC0 << 8 * size)
        if not _SHORTEST <= length <= self._bounds.packet:
            raise _MalformedError
        return length


class _Fields:
    """The fields of one whole packet, read in the order of the format; the attachment is copied last.

    Raises _MalformedError. Cheap for what is no packet: no more than the short texts are copied.
    """

    __slots__ = ("_bounds", "_buffer", "_content", "_end", "_flags", "_position", "_texts", "_time")

    def __init__(self, buffer: bytearray, start: int, end: int, bounds: Bounds) -> None:
        self._buffer = buffer
        self._bounds = bounds
        self._end = end
        self._position = start + 4 + (buffer[start + 3] >> 6)
        self._flags = flags = buffer[start + 1] << 8 | buffer[start + 2]
        self._time = self._read_time() if flags & _TIMESTAMP else None
        test_id = self._read_text(bounds.test_id) if flags & _TEST_ID else None
        tags = self._read_tags() if flags & _TAGS else _NO_TAGS
        mime_type = self._read_text(bounds.text) if flags & _MIME_TYPE else None
        file_name = self._read_text(bounds.text) if flags & _FILE_CONTENT else None
        self._content = self._read_span(end) if flags & _FILE_CONTENT else None
        route_code = self._read_text(bounds.text) if flags & _ROUTE_CODE else None
        self._texts = (test_id, tags, mime_type, file_name, route_code)
        if self._position != end:
            raise _MalformedError

    def event(self) -> Event:
        test_id, tags, mime_type, file_name, route_code = self._texts
        flags = self._flags
        return Event(
            test_id=test_id,
            status=_STATUSES[flags & 7],
            tags=tags,
            runnable=bool(flags & _RUNNABLE),
            file_name=file_name,
            file_bytes=None if self._content is None else bytes(self._buffer[self._content]),
            mime_type=mime_type,
            eof=bool(flags & _EOF),
            route_code=route_code,
            timestamp=self._time,
        )

    def _read_number(self) -> int:
        position = self._position
        if position >= self._end:
            raise _MalformedError
        first = self._buffer[position]
        size = first >> 6
        self._position = stop = position + 1 + size
        if not size:
            return first
        if stop > self._end:
            raise _MalformedError
        return int.from_bytes(self._buffer[position:stop]) & ~(0xC0 << 8 * size)

    def _read_span(self, most: int) -> slice:
        length = self._read_number()
        start = self._position
        self._position = stop = start + length
        if length > most or stop > self._end:
            raise _MalformedError
        return slice(start, stop)

    def _read_text(self, most: int) -> str:
        raw = self._buffer[self._read_span(most)]
        if 0 in raw:
            raise _MalformedError
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise _MalformedError from error

    def _read_tags(self) -> frozenset[str]:
        count = self._read_number()
        if count > self._bounds.tags:
            raise _MalformedError
        return frozenset([self._read_text(self._bounds.text) for _ in range(count)])

    def _read_time(self) -> datetime:
        if self._end - self._position < 5:
            raise _MalformedError
        seconds = int.from_bytes(self._buffer[self._position : self._position + 4])
        self._position += 4
        nanoseconds = self._read_number()
        if nanoseconds >= 1_000_000_000:
            raise _MalformedError
        return _EPOCH + timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
