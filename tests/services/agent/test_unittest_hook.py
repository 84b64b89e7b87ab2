"""The unittest hook says of each test what unittest itself says, on every Python."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from farm_images.agent_archive import install_guest_files
from farm_images.wire import PYTEST_PLUGINS_PATH

from .conftest import AgentHost, tox_ini
from .listening import Listening

VERSIONS = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
PYTHONS = [sys.executable, *(str(path) for path in sorted(VERSIONS.glob("[23].*/bin/python")))]

MIXED = """
import sys, unittest

class Case(unittest.TestCase):
    def test_passes(self): pass
    def test_fails(self): self.assertEqual(1, 2, "arithmetic")
    def test_breaks(self): raise RuntimeError("broken")
    @unittest.skip("because")
    def test_skips(self): pass
    def test_skips_itself(self): raise unittest.SkipTest("for a reason")
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.expectedFailure
    def test_unexpected(self): pass
    def test_cleanup(self):
        self.addCleanup(self.fail, "in cleanup")
        self.fail("in test")

class SetUp(unittest.TestCase):
    def setUp(self): raise RuntimeError("in setUp")
    def test_it(self): pass

class SetUpClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("in setUpClass")
    def test_it(self): pass

class TearDown(unittest.TestCase):
    def tearDown(self): self.fail("in tearDown")
    def test_it(self): pass
"""
STATUSES = {
    "test_it.Case.test_passes": "success",
    "test_it.Case.test_fails": "fail",
    "test_it.Case.test_breaks": "fail",
    "test_it.Case.test_skips": "skip",
    "test_it.Case.test_skips_itself": "skip",
    "test_it.Case.test_expected": "xfail",
    "test_it.Case.test_unexpected": "uxsuccess",
    "test_it.Case.test_cleanup": "fail",
    "test_it.SetUp.test_it": "fail",
    "setUpClass (test_it.SetUpClass)": "fail",
    "test_it.TearDown.test_it": "fail",
}
PASSES = "import unittest\nclass Case(unittest.TestCase):\n    def test_it(self): pass\n"


class UnittestRun:
    """One command with our folder on PYTHONPATH, as the tox plugin starts it."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, str],
        *arguments: str,
        python: str = sys.executable,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        install_guest_files(folder / "guest")
        plugin = folder / "guest" / PYTEST_PLUGINS_PATH.lstrip("/")
        for name, text in files.items():
            path = folder / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        listening = Listening(Path(f"/tmp/wf-{os.getpid()}-{id(self)}.sock"))
        environ = environ or {}
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **environ,
            "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, [environ.get("PYTHONPATH")])]),
            "WHEELFARM_RESULTS": str(listening.path),
            "WHEELFARM_ENVIRONMENT": "one",
        }
        try:
            done = subprocess.run(
                [python, *(arguments or ("-m", "unittest", "discover", "-v"))],
                cwd=folder / "project",
                env=variables,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=100,
                check=False,
            )
        finally:
            self.events = [each for each in listening.close() if " (process " not in str(each.test_id)]
            listening.path.unlink()
        self.exit_code = done.returncode
        self.output = done.stdout + done.stderr

    def tests(self) -> dict[str, str]:
        """The last status of each test that is one."""
        found = [e for e in self.events if e.runnable and e.status not in {None, "exists"}]
        return {str(event.test_id): str(event.status) for event in found}

    def attachment(self, test_id: str, name: str) -> str:
        """An attachment of a test."""
        wanted = [e.file_bytes or b"" for e in self.events if e.test_id == test_id and e.file_name == name]
        return b"".join(wanted).decode()


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: Path(path).parent.parent.name)
def test_every_outcome(tmp_path: Path, python: str) -> None:
    """Each kind of outcome has its status and its attachments, and unittest ends as ever."""
    run = UnittestRun(tmp_path, {"test_it.py": MIXED}, python=python)
    assert run.tests() == STATUSES, run.output
    assert run.exit_code == 1
    assert "unexpected successes=1" in run.output
    announced = {event.test_id for event in run.events if event.status == "exists"}
    assert announced == set(STATUSES) - {"setUpClass (test_it.SetUpClass)"} | {"test_it.SetUpClass.test_it"}
    assert "arithmetic" in run.attachment("test_it.Case.test_fails", "traceback")
    assert "wheelfarm" not in run.attachment("test_it.Case.test_fails", "traceback")
    assert run.attachment("test_it.Case.test_skips", "reason") == "because"
    both = run.attachment("test_it.Case.test_cleanup", "traceback")
    assert re.search("in test.*in cleanup", both, re.DOTALL)
    assert "in setUpClass" in run.attachment("setUpClass (test_it.SetUpClass)", "traceback")
    assert {event.route_code for event in run.events} == {"one"}


def test_the_order_of_one_test(tmp_path: Path) -> None:
    """A test is announced, begins, and ends, in this order and once each."""
    run = UnittestRun(tmp_path, {"test_it.py": PASSES})
    assert [event.status for event in run.events] == ["exists", "inprogress", "success"]


def test_subtests(tmp_path: Path) -> None:
    """A failing subtest is shown as part of its test, which fails; a test with good ones passes."""
    text = """
import unittest
class Case(unittest.TestCase):
    def test_bad(self):
        for n in range(3):
            with self.subTest(n=n): self.assertNotEqual(n, 1)
    def test_good(self):
        with self.subTest("x"): pass
        with self.subTest("y"): self.skipTest("z")
"""
    run = UnittestRun(tmp_path, {"test_it.py": text})
    assert run.tests() == {"test_it.Case.test_bad": "fail", "test_it.Case.test_good": "success"}, run.output
    shown = {event.test_id: event.status for event in run.events if not event.runnable and event.status}
    assert shown["test_it.Case.test_bad (n=1)"] == "fail"
    assert shown["test_it.Case.test_good [y]"] == "skip"


def test_a_module_that_cannot_be_imported(tmp_path: Path) -> None:
    """An import error is a failed test named for the module."""
    run = UnittestRun(tmp_path, {"test_it.py": "1/0"})
    ((name, status),) = run.tests().items()
    assert name.endswith("test_it")
    assert status == "fail"


NESTED = """
import os, subprocess, sys, unittest
class Inner(unittest.TestCase):
    def runTest(self): self.fail()
class Case(unittest.TestCase):
    def test_it(self):
        assert os.environ["PYTHONPATH"] == "/project/path"
        assert os.environ["PYTEST_ADDOPTS"] == "-q"
        assert not [name for name in os.environ if name.startswith("WHEELFARM")]
        result = unittest.TestResult()
        unittest.TestSuite([Inner()]).run(result)
        assert len(result.failures) == 1
        assert subprocess.call([sys.executable, "-m", "unittest", "test_it.Inner"]) == 1
"""


def test_nested_runs_are_silent(tmp_path: Path) -> None:
    """What a test runs, in its process or in another, is part of the test; the variables are the project's own."""
    own = {"PYTHONPATH": "/project/path", "PYTEST_ADDOPTS": "-q"}
    run = UnittestRun(tmp_path, {"test_it.py": NESTED}, "-m", "unittest", "test_it.Case", environ=own)
    assert run.tests() == {"test_it.Case.test_it": "success"}, run.output


def test_pytest_reports_test_cases_once(tmp_path: Path) -> None:
    """Test cases that pytest runs are reported by pytest's plugin alone."""
    run = UnittestRun(tmp_path, {"test_it.py": PASSES}, "-m", "pytest", "-q", "-W", "error")
    assert run.tests() == {"test_it.py::Case::test_it": "success"}, run.output
    assert run.exit_code == 0


def test_another_sitecustomize_is_kept(tmp_path: Path) -> None:
    """The project's own sitecustomize is imported, and is what is found by the name."""
    text = PASSES.replace("pass", "import sitecustomize; assert sitecustomize.OURS == 1")
    files = {"test_it.py": text, "own/sitecustomize.py": "OURS = 1\n"}
    run = UnittestRun(tmp_path, files, environ={"PYTHONPATH": "own"})
    assert run.tests() == {"test_it.Case.test_it": "success"}, run.output


def test_coverage_does_not_see_us(tmp_path: Path) -> None:
    """No code of ours that runs in the project's process has the name of a file."""
    text = """
import sys, unittest
seen = set()
def trace(frame, event, argument):
    seen.add(frame.f_code.co_filename)
    return trace
sys.settrace(trace)
unittest.main("test_it", exit=False)
sys.settrace(None)
print([name for name in seen if "plugins/pytest" in name], "<wheelfarm_unittest>" in seen)
"""
    run = UnittestRun(tmp_path, {"test_it.py": PASSES, "run.py": text}, "run.py")
    assert run.output.startswith("[] True\n"), run.output
    assert run.tests() == {"test_it.Case.test_it": "success"}


def test_a_process_without_tests_is_left_alone(tmp_path: Path) -> None:
    """A process that never imports unittest loads nothing of ours but what waits for it, and says nothing."""
    script = (
        "import sys; print(sorted(name for name in sys.modules if 'wheelfarm' in name or 'unittest' in name))"
    )
    run = UnittestRun(tmp_path, {"empty": ""}, "-W", "error", "-c", script)
    assert (run.output, run.events) == ("[]\n", [])


def test_runners_of_others(tmp_path: Path) -> None:
    """The runners of testtools and subunit, with results of their own kind, are reported as well."""
    text = """
import testtools, unittest
class Case(testtools.TestCase):
    def test_passes(self): pass
    def test_fails(self): self.fail("testtools")
    def test_skips(self): self.skipTest("because")
"""
    statuses = {
        "test_it.Case.test_passes": "success",
        "test_it.Case.test_fails": "fail",
        "test_it.Case.test_skips": "skip",
    }
    for number, module in enumerate(("testtools.run", "subunit.run")):
        run = UnittestRun(tmp_path / str(number), {"test_it.py": text}, "-m", module, "test_it")
        assert run.tests() == statuses, run.output
        assert "testtools" in run.attachment("test_it.Case.test_fails", "traceback")
        assert run.attachment("test_it.Case.test_skips", "reason") == "because"


def test_a_crash_in_a_job(agent: AgentHost) -> None:
    """In a job, what passed before a crash has passed, and the test that crashed began and never ended."""
    text = PASSES + "    def test_other(self): __import__('os').abort()\n"
    ini = tox_ini("python -m unittest -v").replace("set_env", "unused")
    stream = agent.run({"tox.ini": ini, "test_it.py": text})
    assert stream.tests() == {"test_it.Case.test_it": "success", "test_it.Case.test_other": "inprogress"}, (
        stream.log
    )
    assert stream.statuses("farm:commands") == ["inprogress", "fail"]
