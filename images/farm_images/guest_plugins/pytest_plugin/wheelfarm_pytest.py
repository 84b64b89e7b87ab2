# -*- coding: utf-8 -*-
"""Tells the guest agent what each test did, as subunit v2 packets on a unix socket. PYTEST_DONT_REWRITE

pytest loads it in a test environment (`-p wheelfarm_pytest`, put there by the tox plugin, which also
borrows `Stream` and `packet`). One file, no dependencies, Python 2.7 to the newest, pytest 4.6 to the
newest. It never changes what pytest does, and takes itself out of the environment variables at once: what
the tests start knows nothing of it.
"""

import hashlib
import os
import struct
import time
import traceback
import zlib

try:
    import pytest
except ImportError:  # the tox plugin borrows this file in an environment without pytest
    pytest = None

RESULTS = "WHEELFARM_RESULTS"
ENVIRONMENT = "WHEELFARM_ENVIRONMENT"
OPTION = "-p wheelfarm_pytest"
FOLDER = os.path.dirname(os.path.abspath(__file__))

_ID_CHARACTERS = 4000
_TEXT_CHARACTERS = 65536
_SUBTEST_LIMIT = 10000
_NAMES = (None, "exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail")
_STATUS = {name: bits for bits, name in enumerate(_NAMES)}
_PLAIN = "text/plain;charset=utf-8"
# Kept out of reach of tests that replace the clock or the file system for whole modules.
_REAL = {"time": time.time, "write": os.write, "fstat": os.fstat, "getpid": os.getpid}
_text = type(u"")


def packet(test_id, status=None, route=None, runnable=True, name=None, content=None, mime=None, eof=False):
    """The bytes of one subunit v2 packet, stamped with the time; texts are unicode or UTF-8."""
    now = _REAL["time"]()
    flags = 0x2A00 | _STATUS[status]
    body = struct.pack(">I", int(now)) + _number(int(now % 1 * 1000000) * 1000) + _string(test_id)
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
    head = struct.pack(">BH", 0xB3, flags) + _number(length)
    return head + body + struct.pack(">I", zlib.crc32(head + body) & 0xFFFFFFFF)


def _number(value):
    if value < 0x40:
        return struct.pack(">B", value)
    if value < 0x4000:
        return struct.pack(">H", value | 0x4000)
    if value < 0x400000:
        return struct.pack(">I", value | 0x800000)[1:]
    return struct.pack(">I", value | 0xC0000000)


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
    """Take our folder and our option out of the variables, so that they are the project's own again."""
    paths = environ.get("PYTHONPATH", "").split(os.pathsep)
    if FOLDER in paths:
        paths.remove(FOLDER)
        _set_or_remove(environ, "PYTHONPATH", os.pathsep.join(paths))
    options = environ.get("PYTEST_ADDOPTS", "")
    if options.startswith(OPTION):
        _set_or_remove(environ, "PYTEST_ADDOPTS", options[len(OPTION) :].lstrip(" "))


def _set_or_remove(environ, name, value):
    if value:
        environ[name] = value
    else:
        environ.pop(name, None)


class Record(object):
    """What the phases of one running test said so far."""

    def __init__(self):
        self.status = None
        self.subtest_failed = False
        self.texts = {}

    def add(self, report):
        """Take in the report of one phase; a rerun starts over."""
        if report.outcome == "rerun":
            self.__init__()
        elif report.outcome == "failed":
            self.status = "fail"
            self._append("traceback", longrepr_text(report))
        elif self.status == "fail":
            pass
        elif report.outcome == "skipped":
            if self.status is None:
                self.status = "xfail" if hasattr(report, "wasxfail") else "skip"
                self._append("reason", reason_text(report))
        elif report.when == "call":
            self.status = "uxsuccess" if hasattr(report, "wasxfail") else "success"
        if self.status == "fail":
            self._take_output(report)

    def _append(self, name, text):
        if text:
            self.texts[name] = self.texts[name] + "\n" + text if name in self.texts else text

    def _take_output(self, report):
        output = {}
        for title, text in getattr(report, "sections", ()):
            for name in ("stdout", "stderr", "log"):
                if title.startswith("Captured " + name):
                    output[name] = output.get(name, "") + text
        self.texts.update(output)


def longrepr_text(report):
    """The traceback as pytest shows it."""
    longrepr = getattr(report, "longrepr", None)
    if isinstance(longrepr, tuple):
        return _text(longrepr[-1])
    try:
        return _text(report.longreprtext) if longrepr is not None else ""
    except Exception as error:  # an exception whose repr fails must not hide the failure of its test
        return "the traceback could not be shown: %s" % type(error).__name__


def reason_text(report):
    """Why a test was skipped, or expected to fail."""
    reason = getattr(report, "wasxfail", None)
    if reason is None:
        reason = longrepr_text(report)
        if reason.startswith("Skipped: "):
            reason = reason[len("Skipped: ") :]
    return _text(reason)


def _guarded(hook):
    """A hook that reports its own failure as a failed test, once, instead of breaking the project's run."""

    def guarded(self, report):
        if self.broken:
            return
        try:
            hook(self, report)
        except Exception:
            self.broken = True
            self.send("wheelfarm_pytest", "fail", {"traceback": _text(traceback.format_exc())})

    return guarded


class Reporter(object):
    """The hooks of one pytest session: the only one, or the controller of xdist's workers."""

    def __init__(self, stream, environment):
        self.broken = False
        self._stream = stream
        self._environment = environment
        self._running = {}
        self._collected = set()
        self._subtests = 0

    def send(self, test_id, status, texts=None, runnable=True):
        """One test's status, after its attachments."""
        test_id = short_id(test_id)
        packets = [
            packet(test_id, None, self._environment, runnable, name, to_bytes(shortened(text)), _PLAIN, True)
            for name, text in sorted((texts or {}).items())
        ]
        packets.append(packet(test_id, status, self._environment, runnable))
        self._stream.write(b"".join(packets))

    def pytest_collection_finish(self, session):
        # What is only listed is not announced: an announced test that never ends makes the job `lost`.
        if not getattr(session.config.option, "collectonly", False):
            self.enumerate([item.nodeid for item in session.items])

    def enumerate(self, ids):
        """Announce the tests that are there, so that what is left can be shown."""
        ids = [test_id for test_id in ids if test_id not in self._collected]
        self._collected.update(ids)
        for start in range(0, len(ids), 500):
            chunk = ids[start : start + 500]
            self._stream.write(b"".join(packet(short_id(i), "exists", self._environment) for i in chunk))

    def pytest_collectreport(self, report):
        self._collection_problem(report)

    def _collection_problem(self, report):
        if report.passed or (report.nodeid, report.outcome) in self._collected:
            return
        self._collected.add((report.nodeid, report.outcome))
        record = Record()
        record.add(report)
        self.send(report.nodeid or "collection", record.status, record.texts)

    def pytest_runtest_logstart(self, nodeid):
        self._running[nodeid] = Record()
        self.send(nodeid, "inprogress")

    def pytest_runtest_logreport(self, report):
        self._phase(report)

    def _phase(self, report):
        record = self._running.setdefault(report.nodeid, Record())
        if hasattr(report, "context") and hasattr(report.context, "kwargs"):
            self._subtest(record, report)
            return
        record.add(report)
        if report.when == "???":  # xdist: the worker died in this test; no other report follows
            self._finish(report.nodeid)

    def _subtest(self, record, report):
        mine = Record()
        mine.add(report)
        record.subtest_failed = record.subtest_failed or mine.status == "fail"
        self._subtests += 1
        if mine.status == "fail" or self._subtests <= _SUBTEST_LIMIT:
            describe = getattr(report, "_sub_test_description", None) or report.sub_test_description
            self.send("%s %s" % (report.nodeid, describe()), mine.status, mine.texts, runnable=False)

    def pytest_runtest_logfinish(self, nodeid):
        self._finish(nodeid)

    def _finish(self, nodeid):
        record = self._running.pop(nodeid, None)
        if record is None:
            return
        if record.subtest_failed and record.status != "fail":
            record.status = "fail"
            record.texts.setdefault("traceback", "a subtest failed")
        if record.status is not None:
            self.send(nodeid, record.status, record.texts)

    _collection_problem = _guarded(_collection_problem)
    _phase = _guarded(_phase)
    _finish = _guarded(_finish)


class DistributedReporter(Reporter):
    """The controller of xdist: the workers collect."""

    def pytest_xdist_node_collection_finished(self, ids):
        self.enumerate(ids)


def short_id(test_id):
    """An id of bounded length; a long one ends in a digest, so that it stays one test."""
    if len(test_id) <= _ID_CHARACTERS:
        return test_id
    digest = hashlib.sha256(to_bytes(test_id)).hexdigest()[:16]
    return "%s[...]%s" % (test_id[: _ID_CHARACTERS - 24], digest)


def _start(config):
    path = os.environ.pop(RESULTS, None)
    environment = os.environ.pop(ENVIRONMENT, None)
    restore_environment(os.environ)
    is_worker = hasattr(config, "workerinput") or hasattr(config, "slaveinput")
    if path and not is_worker:
        with_xdist = config.pluginmanager.hasplugin("xdist")
        reporter = (DistributedReporter if with_xdist else Reporter)(Stream(path), environment)
        config.pluginmanager.register(reporter, "wheelfarm_reporter")


if pytest is not None:

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(config):
        """Begin to report, if this is the session that the tox environment's command started."""
        _start(config)
