# -*- coding: utf-8 -*-
"""Tells the guest agent what each test did, as subunit v2 packets on a unix socket. PYTEST_DONT_REWRITE

`wheelfarm_start` hands it to the pytest that a tox environment's command starts. No dependencies but
`wheelfarm_stream` beside it, Python 2.7 to the newest, pytest 2.9 to the newest. It never changes what pytest does,
and takes itself out of the environment variables at once: what the tests start knows nothing of it.
"""

import os
import traceback

from wheelfarm_stream import ENVIRONMENT, RESULTS, SUBTEST_LIMIT, Run, Stream
from wheelfarm_stream import exists_packets, take_variables, test_packets

_text = type(u"")
_LISTING = ("collectonly", "showfixtures", "show_fixtures_per_test", "setuponly", "setupplan", "cacheshow", "markers")

# As pytest.hookimpl(tryfirst=True) does it; pytest itself may not be imported yet.
FIRST = {
    "tryfirst": True,
    "trylast": False,
    "hookwrapper": False,
    "wrapper": False,
    "optionalhook": False,
    "specname": None,
}

RUN = None
"""The run of this process, once it has begun."""


class Record(object):
    """What the phases of one running test said so far."""

    def __init__(self):
        self.status = None
        self.again = False
        self.subtest_failed = False
        self.texts = {}

    def add(self, report):
        """Take in the report of one phase; a rerun starts over."""
        if report.outcome == "rerun":
            self.__init__()
            self.again = True
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
        # pytest before 3.0 has no text of it.
        return _text(getattr(report, "longreprtext", longrepr)) if longrepr is not None else ""
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

    def guarded(self, *arguments):
        if self.broken:
            return
        try:
            hook(self, *arguments)
        except Exception:
            self.broken = True
            self.tell_failure(traceback.format_exc())

    return guarded


class Reporter(object):
    """The hooks of one pytest session: the only one, or the controller of xdist's workers."""

    def __init__(self, stream, environment, told_of_ends=True):
        self.broken = False
        self._told_of_ends = told_of_ends
        self._stream = stream
        self._environment = environment
        self._running = {}
        self._collected = set()
        self._subtests = 0
        self._reported = False

    def send(self, test_id, status, texts=None, runnable=True):
        """One test's status, after its attachments."""
        self._reported = True
        self._stream.write(test_packets(test_id, status, self._environment, texts, runnable))

    def tell_failure(self, text):
        """A failure of ours, if it can be told at all: tests that get no end are no green either."""
        try:
            self.send("wheelfarm_pytest", "fail", {"traceback": _text(text)})
        except Exception:
            os.write(2, b"wheelfarm_pytest failed, and could not tell it\n")

    def pytest_collection_finish(self, session):
        # What is only listed is not announced: an announced test that never ends makes the job `lost`.
        if not getattr(session.config.option, "collectonly", False):
            self.enumerate([item.nodeid for item in session.items])

    def enumerate(self, ids):
        """Announce the tests that are there, so that what is left can be shown."""
        self._enumerate(ids)

    def _enumerate(self, ids):
        ids = [test_id for test_id in ids if test_id not in self._collected]
        self._collected.update(ids)
        for packets in exists_packets(ids, self._environment):
            self._stream.write(packets)

    def pytest_collectreport(self, report):
        self._collection_problem(report)

    def _collection_problem(self, report):
        if report.passed or (report.nodeid, report.outcome) in self._collected:
            return
        self._collected.add((report.nodeid, report.outcome))
        record = Record()
        record.add(report)
        self.send(report.nodeid or "collection", record.status, record.texts)

    def pytest_sessionfinish(self, session):
        # What only lists or shows something need not report a test.
        listed = any(getattr(session.config.option, name, False) for name in _LISTING)
        if RUN is not None:
            RUN.end(self._reported or listed)

    pytest_sessionfinish.pytest_impl = FIRST

    def pytest_runtest_logstart(self, nodeid):
        self._begin(nodeid)

    def _begin(self, nodeid):
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
        # xdist: the worker died in this test; no other report follows. pytest before 3.4 does not tell of a test's end.
        if report.when == "???" or (report.when == "teardown" and not self._told_of_ends):
            self._finish(report.nodeid)

    def _subtest(self, record, report):
        mine = Record()
        mine.add(report)
        record.subtest_failed = record.subtest_failed or mine.status == "fail"
        self._subtests += 1
        if mine.status == "fail" or self._subtests <= SUBTEST_LIMIT:
            describe = getattr(report, "_sub_test_description", None) or report.sub_test_description
            self.send("%s %s" % (report.nodeid, describe()), mine.status, mine.texts, runnable=False)

    def pytest_runtest_logfinish(self, nodeid):
        self._finish(nodeid)

    pytest_runtest_logfinish.pytest_impl = dict(FIRST, tryfirst=False, optionalhook=True)

    def _finish(self, nodeid):
        record = self._running.pop(nodeid, None)
        if record is None:
            return
        if record.subtest_failed and record.status != "fail":
            record.status = "fail"
            record.texts.setdefault("traceback", "a subtest failed")
        if record.status is None and record.again:
            return
        if record.status is None:  # --setup-only and the like
            record.status, record.texts["reason"] = "skip", "it was set up and not run"
        self.send(nodeid, record.status, record.texts)

    def pytest_keyboard_interrupt(self, excinfo):
        # KeyboardInterrupt or pytest.exit(): a test in which either is raised gets no report from pytest.
        self._interrupted(excinfo)

    def _interrupted(self, excinfo):
        for nodeid, record in list(self._running.items()):
            record.status = "fail"
            record.texts["traceback"] = _text(excinfo.exconly())
            self._finish(nodeid)

    _interrupted = _guarded(_interrupted)
    _collection_problem = _guarded(_collection_problem)
    _enumerate = _guarded(_enumerate)
    _begin = _guarded(_begin)
    _phase = _guarded(_phase)
    _finish = _guarded(_finish)


class DistributedReporter(Reporter):
    """The controller of xdist: the workers collect."""

    def pytest_xdist_node_collection_finished(self, ids):
        self.enumerate(ids)


def pytest_load_initial_conftests(early_config):
    """The run begins before any code of the project; its variables stay where they are until it is configured."""
    global RUN
    path, environment = os.environ.get(RESULTS), os.environ.get(ENVIRONMENT)
    if path and RUN is None:
        RUN = Run(Stream(path), environment, "pytest")


def _start(config):
    path, environment = take_variables(os.environ)
    is_worker = hasattr(config, "workerinput") or hasattr(config, "slaveinput")
    if path and not is_worker:
        with_xdist = any(config.pluginmanager.hasplugin(name) for name in ("xdist", "xdist.plugin"))
        told = hasattr(config.hook, "pytest_runtest_logfinish")
        reporter = (DistributedReporter if with_xdist else Reporter)(Stream(path), environment, told)
        config.pluginmanager.register(reporter, "wheelfarm_reporter")


def pytest_configure(config):
    """Begin to report, if this is the session that the tox environment's command started."""
    _start(config)


pytest_load_initial_conftests.pytest_impl = pytest_configure.pytest_impl = FIRST
