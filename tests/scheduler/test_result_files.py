"""The results of a run as JUnit XML and as one subunit stream, read by other people's readers."""

import io
import re

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from sqlmodel import select
from subunit import ByteStreamToStreamResult
from testtools.testresult.doubles import StreamResult

from farm_images.subunit_stream import MAX_PACKET, Decoder, Event, encode
from farm_scheduler.evidence_stream import write_evidence
from farm_scheduler.junit import split_name, write_junit
from farm_scheduler.run_report import read_report
from farm_scheduler.tables import Cell, Job, Step, Test

RUN = "r-fin23456"


@pytest.fixture
def report(runs):
    """The finished run."""
    with runs.read() as session:
        return read_report(session, RUN, failing=0)


@pytest.fixture
def junit(runs, report):
    """Its JUnit XML, as bytes; with a test of each status more."""
    with runs.write() as session:
        attempt = report.cells[2].attempt_id
        for place, status in enumerate(["success", "skip", "xfail", "uxsuccess"]):
            session.add(
                Test(
                    attempt_id=attempt,
                    environment="py311",
                    name=f"a.B.test_{status}",
                    status=status,
                    position=9 + place,
                )
            )
    with runs.read() as session:
        stream = io.BytesIO()
        write_junit(session, report, stream)
    return stream.getvalue()


def suites(junit):
    """The suites by name."""
    return {suite.name: suite for suite in JUnitXml.fromstring(junit)}


def test_each_environment_is_a_suite(junit):
    """Suites are named by cell and environment, count what is in them, and carry the ids of the farm."""
    suite = suites(junit)["py3.11 · debian-12 · py311"]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 3, 0, 2)
    assert len(list(suite)) == 6
    assert {found.name: found.value for found in suite.properties()}["job"] == "j-fin22222"


def test_each_status_has_its_element(junit):
    """A pass has none, a skip and an expected failure are skipped, an unexpected pass is a failure."""
    kinds = {
        case.name: [type(found) for found in case.result]
        for case in suites(junit)["py3.11 · debian-12 · py311"]
    }
    assert kinds["test_success"] == []
    assert kinds["test_skip"] == kinds["test_xfail"] == [Skipped]
    assert kinds["test_uxsuccess"] == kinds["test_register_validation"] == [Failure]
    lost = suites(junit)["py3.12 · debian-12 · py311"]
    assert [type(found) for case in lost for found in case.result] == [Error, Error]


def test_a_traceback_is_whole_and_without_control_characters(junit):
    """What XML forbids is spelled out, and the rest of the message is there."""
    (failure,) = next(
        case for case in suites(junit)["py3.11 · debian-12 · py311"] if case.name.startswith("test_reg")
    ).result
    assert "assert 'hello' == 42" in failure.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\ufffe\uffff\u202e]", junit.decode())


def test_a_cell_without_a_failing_test_is_red_as_well(junit):
    """A verdict that no test tells is a case of its own; a calm one is none."""
    found = suites(junit)
    (case,) = found["py3.14 · debian-12"]
    assert case.name == "timed-out"
    assert isinstance(case.result[0], Error)
    assert "other · debian-12" not in found


def test_an_environment_that_fails_beside_failing_tests_is_red(runs, report):
    """A step that failed is a case of its environment, where only another one has failing tests."""
    with runs.write() as session:
        cell = session.exec(select(Cell).join(Job).where(Job.id == report.cells[2].job_id)).one()
        cell.environments = [*cell.environments, "cov"]
        attempt = report.cells[2].attempt_id
        session.add(Step(attempt_id=attempt, environment="cov", name="farm:commands", status="fail"))
    with runs.read() as session:
        stream = io.BytesIO()
        write_junit(session, read_report(session, RUN, failing=0), stream)
    suite = suites(stream.getvalue())["py3.11 · debian-12 · cov"]
    assert (suite.tests, suite.failures, suite.errors) == (1, 0, 1)
    ((found,),) = [case.result for case in suite]
    assert (type(found), found.type) == (Error, "commands")
    test_the_sums_are_right(stream.getvalue())


def test_the_sums_are_right(junit):
    """The numbers of the whole document are those of its cases."""
    document = JUnitXml.fromstring(junit)
    cases = [case for suite in document for case in suite]
    assert document.tests == len(cases)
    assert document.errors == sum(isinstance(found, Error) for case in cases for found in case.result)
    assert document.failures == sum(isinstance(found, Failure) for case in cases for found in case.result)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tests/test_a.py::TestB::test_c[x::y/z.py]", ("tests.test_a.TestB", "test_c[x::y/z.py]")),
        ("tests/test_a.py::test_c", ("tests.test_a", "test_c")),
        ("package.module.Class.test_d", ("package.module.Class", "test_d")),
        ("tests/test_a.py", ("tests/test_a", "py")),
        ("alone", ("", "alone")),
    ],
)
def test_names_are_split_as_ci_servers_group_them(name, parts):
    """Node ids of pytest and ids of unittest become class and name."""
    assert split_name(name) == parts


def test_the_evidence_is_read_by_subunits_own_reader(report, settings):
    """Garbled and cut streams come out whole, each packet routed by its cell; what is missing is told."""
    first, second, *_ = (settings.home / cell.stream_path for cell in report.cells)
    result = encode(Event(test_id="test_a", status="success", route_code="py27"))
    first.write_bytes(b"\xb3\xff garbage" + result + encode(Event(test_id="test_b", status="fail"))[:-3])
    second.write_bytes(result)
    (settings.home / report.cells[2].stream_path).unlink()
    out = io.BytesIO()
    assert write_evidence(report.cells, settings.home, out) == ["j-fin22222"]
    log = StreamResult()
    ByteStreamToStreamResult(io.BytesIO(out.getvalue()), non_subunit_name="stdout").run(log)
    assert not [event for event in log._events if event[0] == "status" and event.file_name == "stdout"]
    routes = [event.route_code for event in log._events if event[0] == "status" and event.test_id == "test_a"]
    assert routes == ["py2.7-debian-12/py27", "py3.10-debian-12/py27"]


def test_a_full_packet_is_cut(report, settings):
    """An attachment that leaves no room for the longer route comes in several packets, and its status once."""
    content = bytes(MAX_PACKET - 200)
    event = Event(test_id="t", status="fail", file_name="log", file_bytes=content, route_code="e" * 100)
    (settings.home / report.cells[0].stream_path).write_bytes(encode(event))
    out = io.BytesIO()
    write_evidence(report.cells, settings.home, out)
    found = [event for event in Decoder().feed(out.getvalue()) if event.test_id == "t"]
    assert b"".join(event.file_bytes for event in found) == content
    assert [event.status for event in found if event.status] == ["fail"]
