"""Junit reports of a real pytest, read back into the words of the farm."""

import subprocess
import sys

import pytest
from benchmarks.junit_reports import junit_name, junit_status, read_reports

TESTS = """
import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.skip(reason="not today")
def test_skips(): pass
@pytest.mark.xfail
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.fixture
def broken(): raise RuntimeError
def test_setup(broken): pass
@pytest.fixture
def leaving():
    yield
    raise RuntimeError
def test_teardown(leaving): pass
def test_both(leaving): assert False
class TestIt:
    @pytest.mark.parametrize("value", ["a::b", "x/y.py", "[", "\\x07"])
    def test_one(self, value): pass
"""
STATUSES = {
    "tests/test_it.py::test_passes": "success",
    "tests/test_it.py::test_fails": "fail",
    "tests/test_it.py::test_skips": "skip",
    "tests/test_it.py::test_xfails": "xfail",
    "tests/test_it.py::test_xpasses": "uxsuccess",
    "tests/test_it.py::test_setup": "fail",
    "tests/test_it.py::test_teardown": "fail",
    "tests/test_it.py::test_both": "fail",
    "tests/test_it.py::TestIt::test_one[a::b]": "success",
    "tests/test_it.py::TestIt::test_one[x/y.py]": "success",
    "tests/test_it.py::TestIt::test_one[[]": "success",
    "tests/test_it.py::TestIt::test_one[\\x07]": "success",
    "tests/test_broken.py": "fail",
    "tests/test_absent.py": "skip",
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What pytest writes about tests of every outcome."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tests").mkdir()
    (folder / "tests/test_it.py").write_text(TESTS)
    (folder / "tests/test_broken.py").write_text("1 / 0")
    (folder / "tests/test_absent.py").write_text("import pytest; pytest.importorskip('no_such_module')")
    (folder / "pytest.ini").write_text("[pytest]\n")
    options = ["--junitxml", "report.xml", "-q", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    subprocess.run(command, cwd=folder, timeout=60, check=False, capture_output=True)
    return (folder / "report.xml").read_bytes()


def test_every_outcome_is_read_back(report: bytes) -> None:
    """A test has the name that its node id gives and the status that the farm would tell."""
    expected = {junit_name(node_id): [junit_status(status)] for node_id, status in STATUSES.items()}
    assert read_reports(report) == expected


def test_reports_of_several_runs_add_up(report: bytes) -> None:
    """Two runs of pytest in one environment give each of their tests two statuses."""
    twice = read_reports(report + report)
    assert twice[junit_name("tests/test_it.py::test_passes")] == ["success", "success"]
    assert twice[junit_name("tests/test_it.py::test_both")] == ["fail", "fail"]


def _suite(name: str, timestamp: str, seconds: float) -> bytes:
    case = f'<testcase classname="m" name="{name}"/>'
    suite = f'<testsuite timestamp="{timestamp}" time="{seconds}">{case}</testsuite>'
    return f'<?xml version="1.0"?><testsuites>{suite}</testsuites>'.encode()


def test_a_pytest_within_a_test_does_not_count() -> None:
    """A report that lies within the time of another one is of a pytest that a test started."""
    outer = _suite("outer", "2026-11-21T10:00:00.000000+00:00", 10)
    inner = _suite("inner", "2026-11-21T10:00:03.000000+00:00", 2)
    later = _suite("later", "2026-11-21T10:00:11.000000+00:00", 2)
    assert set(read_reports(inner + outer + later)) == {"m.outer", "m.later"}


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"no report",
        b'<?xml version="1.0"?><testsuites><testsuite>',
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><testsuite><testcase name="&x;"/></testsuite>',
    ],
)
def test_what_is_no_report(junk: bytes) -> None:
    """Half a report, or one with entities, is no report."""
    assert read_reports(junk) == {}


def test_the_names_of_an_old_pytest() -> None:
    """The empty brackets that an old pytest has for an instance are not in its reports."""
    assert junit_name("a/test_b.py::TestC::()::test_d") == "a.test_b.TestC.test_d"
