"""A run as JUnit XML, as CI servers read it: one suite for each cell and environment.

Called by the command. The form is the one of pytest and of Jenkins' xunit schema. It is written while the record is
read, so that any number of tests fits; it decides nothing, and no text of a guest gets in that XML 1.0 forbids.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import BinaryIO
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from sqlmodel import Session, col, func, select

from farm_scheduler.guest_text import clean, clean_line
from farm_scheduler.run_report import CellReport, RunReport
from farm_scheduler.tables import Attempt, Step, Test

ELEMENTS = {
    "fail": ("failure", "failed"),
    "uxsuccess": ("failure", "passed, but was expected to fail"),
    "inprogress": ("error", "began and never ended"),
    "skip": ("skipped", "skipped"),
    "xfail": ("skipped", "failed, as expected"),
}
"""The element in a test case and its message, by status (subunit v2); none for `success`."""

RED = ("fail", "uxsuccess", "inprogress")
"""The statuses that are not as they should be."""

SHOWN = 200
"""Characters of a message's last line that stand in the attribute; all of it is in the element."""

Counts = Mapping[str, int]


def write_junit(session: Session, report: RunReport, stream: BinaryIO) -> None:
    """Write the whole document of a run, of the newest attempts of its jobs."""
    xml = XMLGenerator(stream, "utf-8", short_empty_elements=True)
    counts = {cell.job_id: _counts(session, cell) for cell in report.cells}
    totals = [number for found in counts.values() for number in found.values()]
    head = {"name": clean_line(report.title), **_sums(totals, report.seconds)}
    extra = sum(len(_silent(session, cell, counts[cell.job_id])) for cell in report.cells)
    extra += sum(_without_a_test(cell, counts[cell.job_id]) for cell in report.cells)
    head["tests"], head["errors"] = str(int(head["tests"]) + extra), str(int(head["errors"]) + extra)
    xml.startDocument()
    with _element(xml, "testsuites", **head):
        for cell in report.cells:
            _write_cell(xml, session, cell, counts[cell.job_id])
    xml.endDocument()
    stream.write(b"\n")


def _counts(session: Session, cell: CellReport) -> dict[str, Counts]:
    """How many tests have which status, by environment; every environment of the cell is there."""
    found: dict[str, dict[str, int]] = {name: {} for name in cell.environments}
    rows = session.exec(
        select(Test.environment, Test.status, func.count())
        .where(Test.attempt_id == cell.attempt_id)
        .group_by(col(Test.environment), col(Test.status))
    ).all()
    for environment, status, number in rows:
        found.setdefault(environment, {})[status] = number
    return dict(found)


def _sums(counts: list[Counts], seconds: float | None) -> dict[str, str]:
    """The attributes that count; `seconds` is left out when it is not known."""
    numbers = {"tests": 0, "failure": 0, "error": 0, "skipped": 0}
    for found in counts:
        for status, number in found.items():
            numbers["tests"] += number
            kind = ELEMENTS.get(status, ("", ""))[0]
            if kind:
                numbers[kind] += number
    named = {"failure": "failures", "error": "errors"}
    sums = {named.get(name, name): str(number) for name, number in numbers.items()}
    return sums if seconds is None else {**sums, "time": f"{seconds:.3f}"}


def _without_a_test(cell: CellReport, counts: Mapping[str, Counts]) -> bool:
    """Whether a cell wants a look, and no test of it says so: its verdict becomes a case of its own."""
    told = sum(found.get(status, 0) for found in counts.values() for status in RED)
    return cell.bad and not told


def _silent(session: Session, cell: CellReport, counts: Mapping[str, Counts]) -> dict[str, str]:
    """The step that failed, by environment, where a bad cell has failing tests and it has none of them."""
    if not cell.bad or _without_a_test(cell, counts):
        return {}
    quiet = [name for name, found in counts.items() if not any(found.get(status) for status in RED)]
    rows = session.exec(
        select(Step.environment, Step.name).where(
            Step.attempt_id == cell.attempt_id, Step.status == "fail", col(Step.environment).in_(quiet)
        )
    )
    return {environment: step.removeprefix("farm:") for environment, step in rows if environment is not None}


def _write_cell(xml: XMLGenerator, session: Session, cell: CellReport, counts: Mapping[str, Counts]) -> None:
    seconds, silent = _seconds(session, cell), _silent(session, cell, counts)
    for environment, found in counts.items():
        sums, step = _sums([found], seconds.get(environment)), silent.get(environment)
        if step is not None:
            sums |= {"tests": str(int(sums["tests"]) + 1), "errors": str(int(sums["errors"]) + 1)}
        _write_suite(xml, session, cell, environment, sums, step)
    if not _without_a_test(cell, counts):
        return
    sums = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0"}
    with _element(xml, "testsuite", name=clean_line(cell.label), **sums):
        _write_properties(xml, cell)
        _write_verdict(xml, clean_line(cell.label), cell.word, cell.reason or "")


def _write_verdict(xml: XMLGenerator, group: str, word: str, reason: str) -> None:
    """A case that is no test, and is not as it should be."""
    with (
        _element(xml, "testcase", classname=group, name=word, time="0"),
        _element(xml, "error", type=word, message=clean_line(reason)),
    ):
        xml.characters(clean(reason))


def _seconds(session: Session, cell: CellReport) -> dict[str, float]:
    """The sum of the tests' times, by environment."""
    rows = session.exec(
        select(Test.environment, func.sum(Test.seconds))
        .where(Test.attempt_id == cell.attempt_id)
        .group_by(col(Test.environment))
    ).all()
    return {environment: float(seconds or 0) for environment, seconds in rows}


def _write_suite(
    xml: XMLGenerator,
    session: Session,
    cell: CellReport,
    environment: str,
    sums: Mapping[str, str],
    failed: str | None,
) -> None:
    """One environment; `failed` is a step of it that failed without a failing test."""
    attempt = session.get(Attempt, cell.attempt_id) if cell.attempt_id else None
    began = attempt.leased.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") if attempt else None
    when = {} if began is None else {"timestamp": began}
    name = clean_line(f"{cell.label} · {environment}")
    with _element(xml, "testsuite", name=name, hostname=cell.machine or "", **when, **sums):
        _write_properties(xml, cell)
        for test in _tests(session, cell, environment):
            _write_test(xml, test)
        if failed is not None:
            _write_verdict(xml, name, failed, f"{failed} failed without a failing test; see the log")


def _write_properties(xml: XMLGenerator, cell: CellReport) -> None:
    facts = {"job": cell.job_id, "attempt": cell.attempt_id, "installer": cell.installer.value}
    facts |= {"verdict": cell.word, "reason": cell.reason}
    with _element(xml, "properties"):
        for name, value in facts.items():
            if value:
                with _element(xml, "property", name=name, value=clean_line(value)):
                    pass


def _tests(session: Session, cell: CellReport, environment: str) -> Iterator[Test]:
    chosen = select(Test).where(Test.attempt_id == cell.attempt_id, Test.environment == environment)
    for test in session.exec(chosen.order_by(col(Test.id)).execution_options(yield_per=1000)):
        yield test
        session.expunge(test)  # what is written need not be remembered


def _write_test(xml: XMLGenerator, test: Test) -> None:
    group, name = split_name(clean_line(test.name))
    seconds = f"{test.seconds or 0:.3f}"
    with _element(xml, "testcase", classname=group, name=name, time=seconds):
        if test.status not in ELEMENTS:
            return
        kind, told = ELEMENTS[test.status]
        message = clean(test.message or "").rstrip()
        last = message.rpartition("\n")[2].strip()[:SHOWN]
        with _element(xml, kind, type=test.status, message=last or told):
            xml.characters(message)


def split_name(name: str) -> tuple[str, str]:
    """(classname, name) of a test id: `a/test_b.py::TestC::test_d[x::y]` is `a.test_b.TestC` and `test_d[x::y]`."""
    head, bracket, parameters = name.partition("[")
    group, found, last = head.rpartition("::")
    if found:
        path, colons, rest = group.partition("::")
        group = path.removesuffix(".py").replace("/", ".") + ("." + rest.replace("::", ".") if colons else "")
    else:
        group, _, last = head.rpartition(".")
    return group, last + bracket + parameters


@contextmanager
def _element(xml: XMLGenerator, kind: str, **attributes: str) -> Iterator[None]:
    """An element, open for the length of a block."""
    xml.startElement(kind, AttributesImpl(attributes))
    yield
    xml.endElement(kind)
