"""A name server that knows no name: it tells the host which ones a job asked for.

Opened by `job` on the guest's loopback, where the C library looks when no other server is set; `watch` listens to it. A
job gets the answer that it would get without one (RFC 1035: server failure), so it never changes what a job sees.
"""

import contextlib
import socket
import struct

from farm_images.agent.packets import TEXT, Packets
from farm_images.wire import ID_NETWORK

MAX_NAMES = 100
_ADDRESS = ("127.0.0.1", 53)
_HEADER = struct.Struct(">HHHHHH")
_QUESTION_BYTES = 4
_PACKET_BYTES = 512
_LABEL_BYTES = 63
_NAME_CHARACTERS = 253
_RESPONSE, _RECURSION_DESIRED, _RECURSION_AVAILABLE, _SERVER_FAILURE = 0x8000, 0x0100, 0x0080, 2
_OPERATION = 0x7800


class NameServer:
    """The socket, and the names so far: each is told to the host once, 100 at most."""

    def __init__(self, packets: Packets, address: tuple[str, int] = _ADDRESS) -> None:
        """Raises OSError when the address cannot be had."""
        self._packets = packets
        self._told: set[str] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(address)
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def close(self) -> None:
        """Answer no more."""
        self._socket.close()

    def answer(self) -> None:
        """Answer one question, if it is one."""
        try:
            packet, sender = self._socket.recvfrom(_PACKET_BYTES)
        except OSError:
            return
        asked = read_question(packet)
        if asked is None:
            return
        name, answer = asked
        # Whoever asks may have gone; names of addresses are asked for by tools that log, not by what needs a network.
        with contextlib.suppress(OSError):
            self._socket.sendto(answer, sender)
        if name and not name.endswith(".arpa") and name not in self._told and len(self._told) < MAX_NAMES:
            self._told.add(name)
            self._packets.attach(ID_NETWORK, "name", name.encode("ascii"), TEXT)


def read_question(packet: bytes) -> tuple[str, bytes] | None:
    """The name that a DNS query asks for, in lower case, and the answer "server failure"; None if it is no query."""
    if len(packet) < _HEADER.size:
        return None
    number, flags, questions, *_ = _HEADER.unpack_from(packet)
    if flags & (_RESPONSE | _OPERATION) or questions != 1:
        return None
    labels, at = [], _HEADER.size
    while at < len(packet) and 0 < packet[at] <= _LABEL_BYTES:
        labels.append(packet[at + 1 : at + 1 + packet[at]])
        at += 1 + packet[at]
    end = at + 1 + _QUESTION_BYTES
    name = b".".join(labels).decode("ascii", errors="replace").lower()
    if at >= len(packet) or packet[at] != 0 or end > len(packet) or len(name) > _NAME_CHARACTERS:
        return None
    if not name.isascii() or not name.replace(" ", "?").isprintable():
        return None
    said = _RESPONSE | flags & _RECURSION_DESIRED | _RECURSION_AVAILABLE | _SERVER_FAILURE
    return name, _HEADER.pack(number, said, 1, 0, 0, 0) + packet[_HEADER.size : end]
