"""The pytest plugin says of each test what pytest itself says in its JUnit file."""

from pathlib import Path

import pytest

from .listening import PytestRun

MIXED = """
import pytest, unittest

def test_passes(): pass
def test_fails():
    print("on stdout")
    import logging, sys
    sys.stderr.write("on stderr\\n")
    logging.warning("in the log")
    assert 1 == 2
@pytest.mark.skip(reason="because")
def test_skips(): pass
@pytest.mark.xfail(reason="known")
def test_xfails(): assert False
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.xfail(strict=True)
def test_strict(): pass
@pytest.fixture
def broken(): raise RuntimeError("in setup")
def test_setup(broken): pass
@pytest.fixture
def leaving():
    yield
    raise RuntimeError("in teardown")
def test_teardown(leaving): pass
def test_both(leaving): assert 0
@pytest.mark.parametrize("x", ["a b", u"\\u00e9", "nul\\0", "x" * 5000], ids=["a b", "e", "nul", "long" * 2000])
def test_parameters(x): pass
class TestClass(object):
    def test_method(self): pass
class Case(unittest.TestCase):
    def test_unit(self): pass
    @unittest.skip("unit")
    def test_unit_skips(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
"""


def test_every_outcome_agrees_with_junit(tmp_path: Path) -> None:
    """Each kind of outcome has the status that pytest's own account gives it, and its attachments."""
    run = PytestRun(tmp_path, {"test_it.py": MIXED}, "-p", "no:cacheprovider")
    ours = {name[:60]: status for name, status in run.in_junit_terms().items()}
    assert ours == {name[:60]: status for name, status in run.account().items()}, run.output
    statuses = run.tests()
    assert statuses["test_it.py::test_xfails"] == "xfail"
    assert statuses["test_it.py::test_xpasses"] == "uxsuccess"
    assert run.attachment("test_it.py::test_skips", "reason") == "because"
    assert run.attachment("test_it.py::test_xfails", "reason") == "known"
    assert run.attachment("test_it.py::test_fails", "stdout") == "on stdout\n"
    assert run.attachment("test_it.py::test_fails", "stderr") == "on stderr\n"
    assert "in the log" in run.attachment("test_it.py::test_fails", "log")
    both = run.attachment("test_it.py::test_both", "traceback")
    assert "assert 0" in both
    assert "in teardown" in both
    assert {event.route_code for event in run.events} == {"one"}


def test_the_order_of_one_test(tmp_path: Path) -> None:
    """A test is announced, begins, and ends, in this order and once each."""
    run = PytestRun(tmp_path, {"test_it.py": "def test_it(): pass"})
    assert [event.status for event in run.events] == ["exists", "inprogress", "success"]


@pytest.mark.parametrize(
    ("text", "status"),
    [("1/0", "fail"), ("import pytest; pytest.skip('x', allow_module_level=True)", "skip")],
)
def test_a_module_that_cannot_be_collected(tmp_path: Path, text: str, status: str) -> None:
    """A collection error is a failed test named for the path, a skipped module a skipped one."""
    run = PytestRun(tmp_path, {"test_it.py": text, "test_other.py": "def test_it(): pass"})
    assert run.tests()["test_it.py"] == status
    assert run.account()["test_it"] == status


def test_stopping_at_the_first_failure(tmp_path: Path) -> None:
    """With -x the tests that did not run are announced and nothing more."""
    run = PytestRun(tmp_path, {"test_it.py": "def test_a(): assert 0\ndef test_b(): pass"}, "-x")
    assert run.tests() == {"test_it.py::test_a": "fail"}
    assert [e.status for e in run.events if e.test_id == "test_it.py::test_b"] == ["exists"]


def test_subtests(tmp_path: Path) -> None:
    """A failing subtest is shown as part of its test, which fails; a test with good ones passes."""
    text = """
def test_bad(subtests):
    for n in range(3):
        with subtests.test(msg="m", n=n): assert n != 1
def test_good(subtests):
    with subtests.test("x"): pass
"""
    run = PytestRun(tmp_path, {"test_it.py": text})
    assert run.tests() == {"test_it.py::test_bad": "fail", "test_it.py::test_good": "success"}
    shown = {event.test_id: event.status for event in run.events if not event.runnable and event.status}
    assert shown["test_it.py::test_bad [m] (n=1)"] == "fail"
    assert shown["test_it.py::test_bad [m] (n=2)"] == "success"
    assert run.in_junit_terms() == run.account()


def test_what_tests_start_knows_nothing_of_us(tmp_path: Path) -> None:
    """The variables in a test are the project's own, and a nested pytest does not report."""
    text = """
import os, subprocess, sys
def test_it():
    assert os.environ["PYTHONPATH"] == "/project/path"
    assert os.environ["PYTEST_ADDOPTS"] == "--strict-markers -q"
    assert not [name for name in os.environ if name.startswith("WHEELFARM")]
    open("test_nested.py", "w").write("def test_nested(): pass")
    subprocess.run([sys.executable, "-m", "pytest", "test_nested.py"], check=True)
"""
    own = {"PYTHONPATH": "/project/path", "PYTEST_ADDOPTS": "--strict-markers -q"}
    run = PytestRun(tmp_path, {"test_it.py": text}, "test_it.py", environ=own)
    assert run.tests() == {"test_it.py::test_it": "success"}, run.output


def test_variables_that_were_not_set_are_gone(tmp_path: Path) -> None:
    """Where the project had no PYTHONPATH and no PYTEST_ADDOPTS, its tests find none."""
    text = "import os\ndef test_it():\n    assert not {'PYTHONPATH', 'PYTEST_ADDOPTS'} & set(os.environ)"
    assert PytestRun(tmp_path, {"test_it.py": text}).tests() == {"test_it.py::test_it": "success"}


def test_clock_and_files_replaced_by_tests(tmp_path: Path) -> None:
    """Tests that replace the clock or os.write for a while, also in fixtures, do not disturb the report."""
    text = """
import os, time, pytest
@pytest.fixture(scope="module", autouse=True)
def patched():
    saved = time.time, os.write, os.getpid, os.fstat
    time.time = os.getpid = lambda: 1
    os.write = os.fstat = None
    yield
    time.time, os.write, os.getpid, os.fstat = saved
def test_it(): pass
"""
    run = PytestRun(tmp_path, {"test_it.py": text}, "-p", "no:cacheprovider", "--capture=sys")
    assert run.tests()["test_it.py::test_it"] == "success", run.output
    assert all(event.timestamp and event.timestamp.year > 2020 for event in run.events)


def test_an_exception_that_cannot_be_shown(tmp_path: Path) -> None:
    """An exception with a broken repr is a failure like any other."""
    text = "class Bad(Exception):\n    def __repr__(self): raise ValueError\n    __str__ = __repr__\n"
    run = PytestRun(tmp_path, {"test_it.py": f"{text}def test_it(): raise Bad()"})
    assert run.tests() == {"test_it.py::test_it": "fail"}


def test_no_agent_no_trouble(tmp_path: Path) -> None:
    """Where nobody listens, or warnings are errors, pytest ends as it would by itself."""
    text = {"test_it.py": "import os\ndef test_it(): os.environ.pop('x', None)"}
    run = PytestRun(tmp_path, text, "-W", "error", "-p", "no:terminal")
    assert (run.exit_code, run.tests()) == (0, {"test_it.py::test_it": "success"})
    assert run.output == ""


@pytest.mark.parametrize("name", ["struct.pack", "zlib.crc32", "time.time", "os.write", "hashlib.sha256"])
def test_what_a_test_replaces_for_good_is_not_ours(tmp_path: Path, name: str) -> None:
    """A test that leaves a mock in a module of the standard library changes no result of those after it."""
    text = "from unittest import mock\n"
    text += f"def test_a(): mock.patch({name!r}).start()\ndef test_b{'x' * 5000}(): pass\ndef test_c(): assert 0\n"
    run = PytestRun(tmp_path, {"test_it.py": text}, "-p", "no:cacheprovider", "-p", "no:terminal")
    statuses = {test_id[:19]: status for test_id, status in run.tests().items()}
    assert statuses == {
        "test_it.py::test_a": "success",
        "test_it.py::test_bx": "success",
        "test_it.py::test_c": "fail",
    }, run.output
