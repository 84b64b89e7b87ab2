# -*- coding: utf-8 -*-
"""Subunit v2 packets and the connection on which they reach the guest agent, for the plugins that run in a project.

Used by `wheelfarm_pytest`, `wheelfarm_unittest` and, loaded by its path, `wheelfarm_tox`. One file, no
dependencies, Python 2.7 to the newest. It never raises for a connection that is lost: the tests matter more
than their report.
"""

import atexit
import hashlib
import os
import struct
import time
import zlib

RESULTS = "WHEELFARM_RESULTS"
ENVIRONMENT = "WHEELFARM_ENVIRONMENT"
FOLDER = globals().get("FOLDER") or os.path.dirname(os.path.abspath(__file__))
PLAIN = "text/plain;charset=utf-8"
SUBTEST_LIMIT = 10000
"""Subtests that succeed, of one run; those that fail are all told."""

_ID_CHARACTERS = 4000
_TEXT_CHARACTERS = 65536
_NAMES = (None, "exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail")
_STATUS = {name: bits for bits, name in enumerate(_NAMES)}
# Kept out of reach of tests that replace the clock, the file system or a whole module for good.
_REAL = {"time": time.time, "write": os.write, "fstat": os.fstat, "getpid": os.getpid}
_pack, _crc32, _sha256 = struct.pack, zlib.crc32, hashlib.sha256


def packet(test_id, status=None, route=None, runnable=True, name=None, content=None, mime=None, eof=False):
    """The bytes of one subunit v2 packet, stamped with the time; texts are unicode or UTF-8."""
    now = _REAL["time"]()
    flags = 0x2A00 | _STATUS[status]
    body = _pack(">I", int(now)) + _number(int(now % 1 * 1000000) * 1000) + _string(test_id)
    if mime is not None:
        flags |= 0x20
        body += _string(mime)
    if name is not None:
        flags |= 0x40
        body += _string(name) + _number(len(content)) + content
    if route:
        flags |= 0x400
        body += _string(route)
    flags |= (0x100 if runnable else 0) | (0x10 if eof else 0)
    length = len(body) + 7
    length += 1 if length <= 62 else 2 if length <= 16381 else 3
    head = _pack(">BH", 0xB3, flags) + _number(length)
    return head + body + _pack(">I", _crc32(head + body) & 0xFFFFFFFF)


def _number(value):
    if value < 0x40:
        return _pack(">B", value)
    if value < 0x4000:
        return _pack(">H", value | 0x4000)
    if value < 0x400000:
        return _pack(">I", value | 0x800000)[1:]
    return _pack(">I", value | 0xC0000000)


def _string(value):
    raw = to_bytes(value)
    return _number(len(raw)) + raw


def to_bytes(value):
    """UTF-8 without NUL and lone surrogates, whatever text or bytes came in."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    raw = value.replace(u"\0", u"\ufffd").encode("utf-8", "replace")
    return raw.decode("utf-8", "replace").encode("utf-8")


def shortened(value):
    """A text that fits in an attachment: its beginning and its end."""
    if len(value) <= _TEXT_CHARACTERS:
        return value
    head = _TEXT_CHARACTERS // 4
    left_out = "\n[... %d characters ...]\n" % (len(value) - _TEXT_CHARACTERS)
    return value[:head] + left_out + value[head - _TEXT_CHARACTERS :]


class Stream(object):
    """A connection to the agent that never writes into a file which is not its socket.

    Tests close descriptors, fork and exhaust limits. So the descriptor is a high one, it is checked before
    each write, forked children are silent, and a lost connection is made anew once per write.
    """

    def __init__(self, path):
        self._path = path
        self._pid = _REAL["getpid"]()
        self._descriptor = None
        self._identity = None

    def write(self, data):
        """Send packets; what cannot be sent is dropped, as the tests matter more than their report."""
        if _REAL["getpid"]() != self._pid:
            return False
        for _ in range(2):
            try:
                if not self._is_ours():
                    self._connect()
                view = memoryview(data)
                while len(view):
                    view = view[_REAL["write"](self._descriptor, view) :]
                return True
            except (OSError, IOError):
                self._close()
        return False

    def _is_ours(self):
        if self._descriptor is None:
            return False
        found = _REAL["fstat"](self._descriptor)
        return (found.st_dev, found.st_ino) == self._identity

    def _connect(self):
        import fcntl
        import socket

        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(None)
            connection.connect(self._path)
            duplicate_above = 1030  # F_DUPFD_CLOEXEC on Linux; Python 2.7 does not name it
            for least in (900, 200, 3):
                try:
                    self._descriptor = fcntl.fcntl(connection.fileno(), duplicate_above, least)
                    break
                except (OSError, IOError):
                    if least == 3:
                        raise
        finally:
            connection.close()
        found = _REAL["fstat"](self._descriptor)
        self._identity = (found.st_dev, found.st_ino)

    def _close(self):
        try:
            if self._is_ours():
                os.close(self._descriptor)
        except (OSError, IOError):
            pass  # a test closed it
        self._descriptor = None


def restore_environment(environ):
    """Take our folder out of the variables, so that they are the project's own again."""
    paths = environ.get("PYTHONPATH", "").split(os.pathsep)
    if FOLDER in paths:
        paths.remove(FOLDER)
        _set_or_remove(environ, "PYTHONPATH", os.pathsep.join(paths))


def _set_or_remove(environ, name, value):
    if value:
        environ[name] = value
    else:
        environ.pop(name, None)


def short_id(test_id):
    """An id of bounded length; a long one ends in a digest, so that it stays one test."""
    if len(test_id) <= _ID_CHARACTERS:
        return test_id
    digest = _sha256(to_bytes(test_id)).hexdigest()[:16]
    return "%s[...]%s" % (test_id[: _ID_CHARACTERS - 24], digest)


def test_packets(test_id, status, route, texts, runnable=True):
    """The bytes of one test's status, after those of its attachments."""
    test_id = short_id(test_id)
    packets = [
        packet(test_id, None, route, runnable, name, to_bytes(shortened(text)), PLAIN, True)
        for name, text in sorted((texts or {}).items())
    ]
    return b"".join(packets + [packet(test_id, status, route, runnable)])


def exists_packets(ids, route):
    """The bytes that announce tests, in parts of bounded size."""
    for start in range(0, len(ids), 500):
        yield b"".join(packet(short_id(each), "exists", route) for each in ids[start : start + 500])


def take_variables(environ):
    """The socket's path and the environment's name, or None twice; the variables are the project's own again."""
    path, name = environ.pop(RESULTS, None), environ.pop(ENVIRONMENT, None)
    restore_environment(environ)
    return path, name


class Run(object):
    """One run of a test runner in this process, as a test that has no outcome of its own: it begins and it ends.

    A process that ends itself with success before its runner does (`os._exit(0)`) leaves it begun, and one that reported
    no test ends it as skipped. Its name is the same after `exec`, so a runner that starts itself anew is one run.
    """

    def __init__(self, stream, environment, runner):
        self._stream = stream
        self._environment = environment
        self._name = "%s (process %d)" % (runner, _REAL["getpid"]())
        self._ended = False
        self._say("inprogress")
        atexit.register(self.end)

    def end(self, reported=True):
        """It came to its end; only the first word counts."""
        if not self._ended:
            self._ended = True
            self._say("success" if reported else "skip")

    def _say(self, status):
        self._stream.write(test_packets(self._name, status, self._environment, None, False))
