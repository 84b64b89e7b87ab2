"""pytest's junit reports, read back into tests: names as pytest writes them, statuses as subunit says them.

Called by the comparison with tox by hand. The reports come from a guest: bounded before they get here, no entities,
and what cannot be read is no report. A report knows no unexpected success (`uxsuccess`): it is a success there.

Names: `mangle_test_address` of _pytest/junitxml.py; a path and its classes become dots, so that what is compared is
`tests.test_it.TestIt.test_it[1]`.
"""

import re
from collections import defaultdict
from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

Tests = dict[str, list[str]]
"""Statuses by name; more than one when several runs of pytest had the test."""

_SAME_IN_JUNIT = {"uxsuccess": "success"}
_ILLEGAL = re.compile("[^\t\n\r\u0020-\u007e\u0080-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_name(node_id: str) -> str:
    """The name of a test in a report, from its node id."""
    address, bracket, parameters = node_id.partition("[")
    path, *names = [part for part in address.split("::") if part != "()"]
    parts = [re.sub(r"\.py$", "", path.replace("/", ".")), *names]
    return _ILLEGAL.sub(_shown, ".".join(parts) + bracket + parameters)


def junit_status(status: str) -> str:
    """The status that a report can tell, from one of subunit."""
    return _SAME_IN_JUNIT.get(status, status)


def read_reports(content: bytes) -> Tests:
    """The tests of all reports in a file, one after another; empty when none can be read.

    A report that lies in time within another one is of a pytest that a test started: none of ours.
    """
    suites = [suite for document in _documents(content) for suite in document.iter("testsuite")]
    times = [_interval(suite) for suite in suites]
    tests: Tests = defaultdict(list)
    for suite, time in zip(suites, times, strict=True):
        if not any(other is not time and _within(time, other) for other in times):
            _read_suite(suite, tests)
    return dict(tests)


def _documents(content: bytes) -> list[ET.Element]:
    found = []
    for text in content.split(b"<?xml")[1:]:
        if b"<!" in text.replace(b"<![CDATA[", b""):
            continue
        try:
            found.append(ET.fromstring(b"<?xml" + text))
        except ET.ParseError:
            continue
    return found


def _read_suite(suite: ET.Element, tests: Tests) -> None:
    seen: set[str] = set()
    for case in suite.iter("testcase"):
        parts = [case.get("classname", ""), case.get("name", "")]
        name = ".".join(part for part in parts if part)
        if parts == ["pytest", "internal"]:
            continue
        if name in seen and case.find("error") is not None:
            # A test that failed and whose teardown failed as well has two entries.
            tests[name][-1] = "fail"
        else:
            tests[name].append(_status(case))
        seen.add(name)


def _status(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "fail"
    skipped = case.find("skipped")
    if skipped is None:
        return "success"
    return "xfail" if skipped.get("type") == "pytest.xfail" else "skip"


def _interval(suite: ET.Element) -> tuple[datetime, datetime] | None:
    try:
        start = datetime.fromisoformat(suite.get("timestamp", "")).replace(tzinfo=None)
        return start, start + timedelta(seconds=float(suite.get("time", "")))
    except ValueError:
        return None


def _within(inner: tuple[datetime, datetime] | None, outer: tuple[datetime, datetime] | None) -> bool:
    return inner is not None and outer is not None and outer[0] < inner[0] and inner[1] < outer[1]


def _shown(match: re.Match[str]) -> str:
    number = ord(match.group())
    return f"#x{number:02X}" if number <= 0xFF else f"#x{number:04X}"
