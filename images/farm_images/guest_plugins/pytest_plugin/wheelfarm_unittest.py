# -*- coding: utf-8 -*-
"""Tells the guest agent what each test did that runs under unittest: its own runner, Django's, testtools', trial.

`wheelfarm_start` loads it in a process of a tox environment's commands that imports unittest. It waits until
a suite or a test case is called with a result; that result's methods are watched. No dependencies but
`wheelfarm_stream` beside it, Python 2.7 to the newest.

It never changes what a runner does. It takes itself out of the environment variables before the first test,
so what tests start is silent, and so is what they run in their own process; where pytest runs, pytest's
plugin has taken them first.
"""

import os
import threading
import traceback

from wheelfarm_stream import ENVIRONMENT, RESULTS, SUBTEST_LIMIT, Run, Stream, exists_packets, take_variables
from wheelfarm_stream import test_packets

_MOST_ANNOUNCED = 200000


def patch(suite_module):
    """Look at every result that a suite or a test case is called with."""
    _watch_calls(suite_module.BaseTestSuite, "__call__")
    _watch_calls(suite_module.TestSuite, "run")
    _watch_calls(suite_module.case.TestCase, "__call__")


def patch_program(main_module):
    """See that a run of unittest's own program comes to its end, and whether it reported a test."""
    program = main_module.TestProgram
    original = program.__init__

    def __init__(self, *arguments, **named):
        # A program derived from it may list tests, or have others run them.
        run = REPORTER.begin_run() if type(self) is program else None
        try:
            original(self, *arguments, **named)
        finally:
            if run is not None:
                run.end(REPORTER.reported)

    program.__init__ = __init__


def _watch_calls(owner, name):
    original = getattr(owner, name)
    original = getattr(original, "__func__", original)

    def method(self, *arguments, **named):
        result = arguments[0] if arguments else named.get("result")
        if result is not None:
            REPORTER.watch(result, self)
        return original(self, *arguments, **named)

    method.__name__ = name
    method.__doc__ = original.__doc__
    setattr(owner, name, method)


class Record(object):
    """What is known of a running test."""

    def __init__(self):
        self.status = None
        self.texts = {}

    def add(self, status, name=None, text=None):
        """Take in one word of the result; a failure stays one."""
        if self.status != "fail":
            self.status = status
        if text:
            self.texts[name] = self.texts[name] + "\n" + text if name in self.texts else text


class Reporter(object):
    """All runs of one process."""

    def __init__(self):
        self._lock = threading.RLock()
        self._stream = None
        self._environment = None
        self._off = False
        self._records = {}
        self._subtests = 0
        self.reported = False
        # The tests that run now: another run that begins meanwhile belongs to one of them.

    def watch(self, result, test):
        """Watch a result, unless it is watched, is pytest's, or belongs to a running test."""
        if self._off or "_wheelfarm" in getattr(result, "__dict__", ("_wheelfarm",)):
            return  # or it has no room for ours
        with self._lock:
            if self._records or type(result).__module__.split(".")[0] == "_pytest":
                return
            try:
                if self._begin():
                    self._wrap(result)
                    self._announce(test)
            except Exception:
                self._break()

    def begin_run(self):
        """Tell that a run begins; None if there is nobody to tell. The variables stay until the first test."""
        path = os.environ.get(RESULTS)
        return Run(Stream(path), os.environ.get(ENVIRONMENT), "unittest") if path else None

    def _begin(self):
        """Take the variables, the first time; whether there is anyone to report to."""
        if self._stream is None:
            path, self._environment = take_variables(os.environ)
            self._off = path is None
            self._stream = None if self._off else Stream(path)
        return not self._off

    def _break(self):
        self._off = True
        if self._stream is not None:
            texts = {"traceback": traceback.format_exc()}
            self._send("wheelfarm_unittest", "fail", texts)

    def _send(self, test_id, status, texts=None, runnable=True):
        self.reported = True
        self._stream.write(
            test_packets(test_id, status, self._environment, texts, runnable)
        )

    def _announce(self, test):
        ids = []
        waiting = [test]
        while waiting and len(ids) < _MOST_ANNOUNCED:
            each = waiting.pop()
            tests = getattr(each, "_tests", None)
            # Only what is a plain list: other suites make their tests when they are asked for them.
            if isinstance(tests, list):
                waiting.extend(reversed(tests))
            elif tests is None and hasattr(each, "id"):
                ids.append(_id(each))
        for packets in exists_packets(ids, self._environment):
            self._stream.write(packets)

    def _wrap(self, result):
        for name in _HANDLERS:
            if hasattr(result, name):
                setattr(result, name, self._wrapped(result, name, getattr(result, name)))
        result._wheelfarm = True

    def _wrapped(self, result, name, original):
        handler = getattr(self, "_" + name)

        def method(test, *arguments, **named):
            if not self._off:
                with self._lock:
                    try:
                        handler(result, test, arguments, named)
                    except Exception:
                        self._break()
            return original(test, *arguments, **named)

        return method

    def _startTest(self, result, test, arguments, named):
        self._records[id(test)] = Record()
        self._send(_id(test), "inprogress")

    def _stopTest(self, result, test, arguments, named):
        record = self._records.pop(id(test), None)
        if record is None:
            return
        if record.status is None:  # KeyboardInterrupt goes past every outcome
            record.add("fail", "traceback", "the test run was ended inside this test\n" + traceback.format_exc())
        self._send(_id(test), record.status, record.texts)

    def _outcome(self, test, status, name=None, text=None):
        parent = getattr(test, "test_case", None)
        if parent is not None and id(parent) in self._records:
            self._subtest(parent, test, status, name, text)
        elif id(test) in self._records:
            self._records[id(test)].add(status, name, text)
        else:  # setUpClass, setUpModule and the like never start
            self._send(_id(test), status, {name: text} if text else None)

    def _subtest(self, parent, test, status, name, text):
        self._subtests += 1
        if status == "fail" or self._subtests <= SUBTEST_LIMIT:
            self._send(_id(test), status, {name: text} if text else None, runnable=False)
        record = self._records[id(parent)]
        if status == "fail":
            record.add("fail", "traceback", text)
        elif record.status is None:
            record.status = status

    def _addSuccess(self, result, test, arguments, named):
        self._outcome(test, "success")

    def _addFailure(self, result, test, arguments, named):
        self._outcome(test, "fail", "traceback", _error_text(result, test, arguments, named))

    _addError = _addFailure

    def _addSkip(self, result, test, arguments, named):
        reason = arguments[0] if arguments else named.get("reason")
        text = _details_text(named.get("details")) if reason is None else _as_text(reason)
        self._outcome(test, "skip", "reason", text)

    def _addExpectedFailure(self, result, test, arguments, named):
        self._outcome(test, "xfail", "reason", _error_text(result, test, arguments, named))

    def _addUnexpectedSuccess(self, result, test, arguments, named):
        self._outcome(test, "uxsuccess")

    def _addSubTest(self, result, test, arguments, named):
        subtest, error = (list(arguments) + [named.get("subtest"), named.get("err")])[:2]
        if error is None:
            self._outcome(subtest, "success")
        else:
            self._outcome(subtest, "fail", "traceback", _error_text(result, subtest, [error], {}))


_HANDLERS = ("startTest", "stopTest", "addSuccess", "addFailure", "addError", "addSkip") + (
    "addExpectedFailure",
    "addUnexpectedSuccess",
    "addSubTest",
)
REPORTER = Reporter()


def _as_text(value):
    return value if isinstance(value, (bytes, type(u""))) else str(value)


def _id(test):
    try:
        return test.id() or str(test)
    except Exception:  # an id of the project's own that fails must not hide the test
        return type(test).__name__


def _error_text(result, test, arguments, named):
    """The traceback as the result itself shows it, where it can."""
    error = arguments[0] if arguments else named.get("err")
    if error is None:
        return _details_text(named.get("details"))
    if not isinstance(error, tuple):
        return _as_text(error)
    try:
        return result._exc_info_to_string(error, test)
    except Exception:  # another kind of result, or an exception that cannot be shown
        try:
            return "".join(traceback.format_exception(*error))
        except Exception as unshown:
            return "the traceback could not be shown: %s" % type(unshown).__name__


def _details_text(details):
    """What testtools attaches to an outcome, as far as it is text."""
    texts = []
    for name, content in sorted((details or {}).items()):
        title = "" if name in ("reason", "traceback") else "%s: " % name
        try:
            texts.append(title + content.as_text())
        except Exception:  # an attachment of another kind
            texts.append("%s: not text" % name)
    return "\n".join(texts)
