# -*- coding: utf-8 -*-
"""Takes subunit v2 packets out of what a command of a tox environment writes to its standard output, as test results.

`wheelfarm_tox` calls it in the farm only, for tox 4: tox 3 joins both outputs of a command before a plugin sees them.
What is no whole packet with a right checksum goes on as the text that it is. It never holds text back for longer
than it may yet become a packet, and never more than one packet of it.

The agent drops what comes from a command whose tests the plugins in the project's processes report: a tag says
when the command began, for that.
"""

import importlib
import os
import sys
import threading
import time
import traceback
import zlib
from dataclasses import replace

SIGNATURE = 0xB3
LONGEST = 1 << 19
"""Bytes of a packet; a longer one is text."""

MOST_HELD = 1 << 20
"""Bytes of packets that wait to be sent."""

MOST_ANNOUNCED = 50_000
WAIT_SECONDS = 1.0
"""How long packets wait, so that the plugins have spoken first where both see the same tests."""

_ARCHIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../agent.pyz")
_SHORTEST = 8
_FILES = ("traceback", "reason", "stdout", "stderr", "log")


def continues(before):
    """Whether a character of UTF-8 goes on after these bytes: the signature is never the first byte of one."""
    for back, byte in enumerate(reversed(before)):
        if byte < 0x80:
            return False
        if byte >= 0xC0:
            return back < (1 if byte < 0xE0 else 2 if byte < 0xF0 else 3)
    return False


class Splitter(object):
    """Bytes in; text and whole packets out."""

    def __init__(self):
        self._buffer = bytearray()
        self._before = b""  # the last bytes of text before what is looked at; none after a packet
        # Looking into what claims to be a packet and is none costs more than its bytes: such looks are bounded.
        self._credit = 4 * LONGEST

    def feed(self, data):
        """(text, packets) of what these bytes complete."""
        self._buffer += data
        self._credit = min(self._credit + len(data), 4 * LONGEST)
        return self._split(False)

    def close(self):
        """(text, packets) of what is left at the end."""
        return self._split(True)

    def _split(self, ends):
        buffer, text, packets, position = self._buffer, bytearray(), [], 0
        while position < len(buffer):
            found = buffer.find(SIGNATURE, position)
            start = len(buffer) if found < 0 else found
            self._take_text(text, position, start)
            position = start
            if found < 0:
                break
            length = self._length(position)
            if length is None or len(buffer) - position < length:
                if not ends:
                    break
                length = 0
            if length and self._is_whole(position, length):
                packets.append(bytes(buffer[position : position + length]))
                self._before = b""
            else:
                length = self._damaged(length)
                self._take_text(text, position, position + length)
            position += length
        del buffer[:position]
        return bytes(text), packets

    def _take_text(self, text, start, stop):
        if stop > start:
            text += self._buffer[start:stop]
            self._before = (self._before + self._buffer[start:stop][-3:])[-3:]

    def _length(self, position):
        """What the packet here claims; 0 if it is none; None if that cannot be seen yet."""
        if continues(self._before):
            return 0
        head = self._buffer[position : position + 6]
        if (len(head) > 1 and head[1] >> 4 != 2) or (len(head) > 2 and head[2] & 8):
            return 0
        if len(head) < 4 or len(head) < 4 + (head[3] >> 6):
            return None
        size = head[3] >> 6
        length = int.from_bytes(head[3 : 4 + size], "big") & ~(0xC0 << 8 * size)
        return length if _SHORTEST <= length <= LONGEST else 0

    def _is_whole(self, position, length):
        end = position + length - 4
        checksum = zlib.crc32(bytes(self._buffer[position:end]))
        return checksum == int.from_bytes(self._buffer[end : end + 4], "big")

    def _damaged(self, length):
        if length and self._credit < length:
            return length
        self._credit -= length
        return 1


def format_module():
    """The farm's own reader and writer of the format, which is in the agent's archive."""
    sys.path.append(_ARCHIVE)
    try:
        return importlib.import_module("farm_images.subunit_stream")
    finally:
        sys.path.remove(_ARCHIVE)


class Results(object):
    """The packets of one command on their way to the agent."""

    def __init__(self, send, environment):
        self._send = send
        self._environment = environment
        self._tag = "native:%.6f" % time.time()
        self._lock = threading.RLock()
        self._held = bytearray()
        self._announced = []
        self._timer = None

    def take(self, packets):
        """Send these packets soon; what is no packet of a test is dropped."""
        module = format_module()
        bounds = module.Bounds(packet=LONGEST, test_id=16384, text=256)
        with self._lock:
            for packet in packets:
                for event in module.Decoder(bounds).feed(packet):
                    self._take_event(event, module.encode)
            if len(self._held) > MOST_HELD:
                self.flush()
            elif self._held and self._timer is None:
                self._timer = threading.Timer(WAIT_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def _take_event(self, event, encode):
        content = event.file_name in _FILES and event.file_bytes is not None
        if event.test_id is None or (event.status is None and not content):
            return
        if not content:
            event = replace(event, file_name=None, file_bytes=None, mime_type=None)
        marked = encode(replace(event, route_code=self._environment, tags=frozenset([self._tag])))
        if event.status == "exists":
            if len(self._announced) < MOST_ANNOUNCED:
                self._announced.append(marked)
            return
        # Tests that are only listed are not announced: one that is and never runs makes the job `lost`.
        self._held += b"".join(self._announced)
        self._announced = []
        self._held += marked

    def flush(self):
        """Send what waits, now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._held:
                self._send(bytes(self._held))
                self._held = bytearray()


class Output(object):
    """The standard output of one command; `handler` is tox's own. A failure of ours leaves the rest to it."""

    def __init__(self, handler, results, tell):
        self._handler = handler
        self._results = results
        self._tell = tell
        self._splitter = Splitter()
        self._broken = False

    def take(self, data):
        """What tox calls with each piece."""
        if self._broken:
            return self._handler(data)
        self._pass_on(self._splitter.feed, data)
        return len(data)

    def close(self):
        """No more comes."""
        if not self._broken:
            self._pass_on(self._splitter.close)
            self._results.flush()

    def _pass_on(self, split, *data):
        text, packets = split(*data)
        if text:
            self._handler(text)
        try:
            if packets:
                self._results.take(packets)
        except Exception:
            self._broken = True
            self._tell(traceback.format_exc())


def take_over(instance_class, variable, send, tell):
    """Let results be taken from each command whose environment has `variable`, which names the tox environment.

    `send` takes packets, `tell` the text of a failure of ours.
    """
    original = instance_class.__exit__

    def out_handler(self):
        handler = self._out.handler
        environment = self.request.env.get(variable)
        if not environment or not self.request.run_id.startswith("commands"):
            return handler
        self._wheelfarm = Output(handler, Results(send, environment), tell)
        return self._wheelfarm.take

    def __exit__(self, *arguments):
        try:
            return original(self, *arguments)
        finally:
            output = getattr(self, "_wheelfarm", None)
            if output is not None:
                output.close()

    instance_class.out_handler = property(out_handler)
    instance_class.__exit__ = __exit__
