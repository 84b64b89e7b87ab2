"""The agent's name server: it reads questions of any kind, and tells each name once."""

import socket
import struct
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_images.agent.channel import Channel
from farm_images.agent.name_server import MAX_NAMES, NameServer, read_question
from farm_images.agent.packets import Packets
from farm_images.subunit_stream import Decoder

HEADER = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def query(name: str) -> bytes:
    """A question for the IPv4 address of a name."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return HEADER + labels + b"\0\0\1\0\1"


class Sent:
    """A channel that keeps what is queued."""

    def __init__(self) -> None:
        self.data = b""

    def queue(self, data: bytes) -> None:
        """Keep it."""
        self.data += data


def test_a_question_is_read_and_answered_with_a_failure() -> None:
    """The answer repeats number and question, with the code for "server failure"."""
    asked = read_question(query("Docs.Example.org"))
    assert asked is not None
    name, answer = asked
    assert name == "docs.example.org"
    assert struct.unpack(">HHHHHH", answer[:12]) == (0x1234, 0x8182, 1, 0, 0, 0)
    assert answer[12:] == query("Docs.Example.org")[12:]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        HEADER,
        query("a.b")[:-1],
        b"\0\0\x80\0" + HEADER[4:] + b"\0\0\1\0\1",
        HEADER + b"\xc0\x0c\0\1\0\1",
    ],
)
def test_what_is_no_question_is_ignored(packet: bytes) -> None:
    """Half packets, answers and compressed names get no answer."""
    assert read_question(packet) is None


@given(st.binary(max_size=512), st.booleans())
def test_any_packet_is_read_or_ignored(packet: bytes, headed: bool) -> None:
    """No packet is an error, and a name is always plain text."""
    asked = read_question(HEADER + packet if headed else packet)
    assert asked is None or (asked[0].isascii() and len(asked[0]) <= 253)


def test_each_name_is_told_once_and_not_without_end() -> None:
    """The C library asks again and again; the host hears of a name once, and of a hundred at most."""
    sent = Sent()
    server = NameServer(Packets(cast("Channel", sent)), ("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server._socket.getsockname())
        client.settimeout(5)
        names = ["a.example", "a.example", "1.0.0.127.in-addr.arpa"]
        for name in [*names, *(f"n{number}.example" for number in range(2 * MAX_NAMES))]:
            client.send(query(name))
            server.answer()
            assert client.recv(512)[3] & 0xF == 2
    server.close()
    told = [event.file_bytes for event in Decoder().feed(sent.data)]
    assert told == [b"a.example", *(f"n{number}.example".encode() for number in range(MAX_NAMES - 1))]
