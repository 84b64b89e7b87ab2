"""Ways to end a test run, through the real agent and the real runners to the verdict: exact for each."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from farm_scheduler.evidence import TestCounts
from farm_scheduler.judgement import judge
from farm_scheduler.results import Results

from .conftest import AgentHost, Stream

EXTRAS = ("pytest>=9", "pytest-xdist", "pytest-randomly", "pytest-timeout", "pytest-rerunfailures")
INI = """
[tox]
skipsdist = true
[testenv:one]
skip_install = true
set_env =
    PYTHONPATH = {site}
    PYTEST_DISABLE_PLUGIN_AUTOLOAD = 1
commands = {command}
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pytest and plugins that change how a run goes on; from the package index."""
    folder = tmp_path_factory.mktemp("site")
    command = [find_uv_bin(), "pip", "install", "-q", "--target", str(folder), "--python", "/usr/bin/python3"]
    subprocess.run([*command, *EXTRAS], check=True, timeout=180)
    return folder


@dataclass(frozen=True, kw_only=True)
class Case:
    """What runs, and what must come of it; `reason` is a part of the sentence, `more` a conftest.py."""

    command: str
    text: str
    verdict: str
    counts: tuple[int, int, int]
    reason: str = ""
    more: str = ""


PASS = "def test_a(): pass\ndef test_b(): pass\n"
FAIL = "def test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pass\n"
XDIST = "python -m pytest -p xdist -p xdist.looponfail"
CASE = "import os, unittest\nclass A(unittest.TestCase):\n    def test_a(self): pass\n"
BROKEN = "class B(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): {}\n"
TWO = "    def test_b(self): pass\n    def test_c(self): pass\n"
UNITTEST = "python -m unittest -v"
MANY = "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_n(n): pass\n"
CASES = {
    "setUpClass fails": Case(
        command=UNITTEST,
        text=CASE + BROKEN.format("raise RuntimeError('no')") + TWO,
        verdict="failed",
        counts=(1, 1, 0),
        reason="setUpClass (test_it.B) failed",
    ),
    "setUpClass skips": Case(
        command=UNITTEST,
        text=CASE + BROKEN.format("raise unittest.SkipTest('no')") + TWO,
        verdict="passed",
        counts=(1, 0, 1),
    ),
    "a class is skipped": Case(
        command=UNITTEST,
        text=CASE + "@unittest.skip('no')\n" + BROKEN.format("pass") + TWO,
        verdict="passed",
        counts=(1, 0, 2),
    ),
    "setUpModule skips": Case(
        command=UNITTEST,
        text=CASE + "def setUpModule(): raise unittest.SkipTest('no')\n",
        verdict="no-tests",
        counts=(0, 0, 1),
        reason="skipped",
    ),
    "setUpModule fails": Case(
        command=UNITTEST,
        text=CASE + "def setUpModule(): raise RuntimeError('no')\n",
        verdict="failed",
        counts=(0, 1, 0),
        reason="setUpModule (test_it) failed",
    ),
    "tearDownClass fails": Case(
        command=UNITTEST,
        text=CASE + "    @classmethod\n    def tearDownClass(cls): 1/0\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="tearDownClass (test_it.A) failed",
    ),
    "unittest -f": Case(
        command=f"{UNITTEST} -f",
        text=CASE.replace("pass", "self.fail()") + BROKEN.format("pass") + TWO,
        verdict="failed",
        counts=(0, 1, 0),
        reason="test_it.A.test_a failed",
    ),
    "unittest interrupted": Case(
        command=UNITTEST,
        text=CASE + "    def test_b(self): raise KeyboardInterrupt\n    def test_c(self): pass\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_it.A.test_b failed",
    ),
    "unittest exits": Case(
        command=UNITTEST,
        text=CASE + "    def test_b(self): raise SystemExit(0)\n    def test_c(self): pass\n",
        verdict="failed",
        counts=(2, 1, 0),
        reason="test_it.A.test_b failed",
    ),
    "the process ends while pytest collects": Case(
        command="python -m pytest -q",
        text=PASS,
        more="import os\nos._exit(0)\n",
        verdict="lost",
        counts=(0, 0, 0),
        reason="one: pytest (process",
    ),
    "pytest is started anew by a conftest": Case(
        command="python -m pytest -q",
        text=PASS,
        more="import os, sys\nif not os.environ.get('AGAIN'):\n    os.environ['AGAIN'] = '1'\n"
        "    os.execv(sys.executable, [sys.executable, '-m', 'pytest', '-q'])\n",
        verdict="passed",
        counts=(2, 0, 0),
    ),
    "a script sets PYTHONPATH anew": Case(
        command="python conftest.py",
        text=PASS,
        more="import os, subprocess, sys\nif __name__ == '__main__':\n"
        "    path = os.environ['PYTHONPATH'].split(':')[-1]\n"
        "    command = [sys.executable, '-m', 'pytest', '-q']\n"
        "    sys.exit(subprocess.call(command, env=dict(os.environ, PYTHONPATH=path)))\n",
        verdict="passed",
        counts=(2, 0, 0),
    ),
    "Python that ignores PYTHONPATH": Case(
        command="python -I conftest.py",
        text=PASS,
        more="import os, sys\nif __name__ == '__main__':\n"
        "    sys.path[:0] = [os.getcwd(), os.environ['PYTHONPATH'].split(':')[-1]]\n"
        "    import pytest\n    sys.exit(pytest.main(['-q']))\n",
        verdict="passed",
        counts=(2, 0, 0),
    ),
    "unittest that ignores PYTHONPATH": Case(
        command="python -I test_it.py",
        text=CASE + "if __name__ == '__main__':\n    unittest.main()\n",
        verdict="passed",
        counts=(1, 0, 0),
    ),
    "pytest lists after a run": Case(
        command="python -m pytest -q\n    python -m pytest --collect-only -q\n    python -m pytest --version",
        text=PASS,
        verdict="passed",
        counts=(2, 0, 0),
    ),
    "one command reports no test": Case(
        command="python -m pytest -q test_it.py\n"
        "    python -c 'import unittest; unittest.main(\"conftest\", argv=[\"x\"], exit=False)'",
        text=PASS,
        more="# nothing\n",
        verdict="no-tests",
        counts=(2, 0, 0),
        reason="one: unittest ran and reported no test",
    ),
    "the process ends while unittest imports": Case(
        command=UNITTEST,
        text="import os\n" + CASE + "os._exit(0)\n",
        verdict="lost",
        counts=(0, 0, 0),
        reason="one: unittest (process",
    ),
    "the process ends itself after the run": Case(
        command="python test_it.py",
        text=CASE + "if __name__ == '__main__':\n    unittest.main(exit=False)\n    os._exit(0)\n",
        verdict="passed",
        counts=(1, 0, 0),
    ),
    "unittest stops": Case(
        command=UNITTEST,
        text=CASE + "    def run(self, result=None):\n        super().run(result); result.stop()\n" + TWO,
        verdict="lost",
        counts=(1, 0, 0),
        reason="2 of 3 tests that were found never ran",
    ),
    "unittest is ended": Case(
        command=UNITTEST,
        text=CASE + "    def test_b(self): os._exit(0)\n    def test_c(self): pass\n",
        verdict="lost",
        counts=(1, 0, 0),
        reason="test_it.A.test_b began and never ended",
    ),
    "unittest finds nothing": Case(
        command=UNITTEST, text="", verdict="no-tests", counts=(0, 0, 0), reason="no test"
    ),
    "doctests under unittest": Case(
        command=UNITTEST,
        text="import doctest\ndef load_tests(loader, tests, ignore): return doctest.DocTestSuite()\n"
        'def f():\n    """\n    >>> 1 + 1\n    2\n    """\n',
        verdict="passed",
        counts=(1, 0, 0),
    ),
    "pytest": Case(command="python -m pytest", text=PASS, verdict="passed", counts=(2, 0, 0)),
    "pytest -x": Case(
        command="python -m pytest -x",
        text=FAIL,
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_it.py::test_b failed",
    ),
    "pytest --maxfail": Case(
        command="python -m pytest --maxfail=1", text=FAIL, verdict="failed", counts=(1, 1, 0)
    ),
    "pytest -x, hidden": Case(
        command="- python -m pytest --exitfirst", text=FAIL, verdict="failed", counts=(1, 1, 0)
    ),
    "pytest -k": Case(
        command="python -m pytest -k test_a", text=FAIL, verdict="passed", counts=(1, 0, 0)
    ),
    "pytest -k finds nothing": Case(
        command="python -m pytest -k nothing",
        text=FAIL,
        verdict="no-tests",
        counts=(0, 0, 0),
        reason="pytest found no test",
    ),
    "pytest --lf": Case(
        command="- python -m pytest\n    python -m pytest --lf",
        text="import os\ndef test_a(): pass\n"
        "def test_b():\n    found = os.path.exists('x')\n    open('x', 'w')\n    assert found\n",
        verdict="failed",
        counts=(2, 1, 0),
    ),
    "pytest --collect-only": Case(
        command="python -m pytest --collect-only", text=PASS, verdict="no-tests", counts=(0, 0, 0)
    ),
    "pytest --setup-only": Case(
        command="python -m pytest --setup-only", text=PASS, verdict="no-tests", counts=(0, 0, 2)
    ),
    "pytest --stepwise": Case(
        command="python -m pytest --stepwise", text=FAIL, verdict="failed", counts=(1, 1, 0)
    ),
    "pytest.exit": Case(
        command="python -m pytest",
        text="import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('enough')\ndef test_c(): pass\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_b failed",
    ),
    "pytest.exit with success": Case(
        command="python -m pytest",
        text="import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('enough', returncode=0)\n"
        "def test_c(): pass\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_b failed",
    ),
    "pytest.exit between tests": Case(
        command="python -m pytest",
        text=PASS,
        more="import pytest\ndef pytest_runtest_logfinish(): pytest.exit('enough', returncode=0)\n",
        verdict="lost",
        counts=(1, 0, 0),
        reason="1 of 2 tests that were found never ran",
    ),
    "KeyboardInterrupt": Case(
        command="python -m pytest",
        text="def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\ndef test_c(): pass\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_it.py::test_b failed",
    ),
    "a test that exits": Case(
        command="python -m pytest",
        text="def test_a(): pass\ndef test_b(): raise SystemExit(0)\ndef test_c(): pass\n",
        verdict="failed",
        counts=(2, 1, 0),
    ),
    "xdist": Case(command=f"{XDIST} -n 2", text=MANY, verdict="passed", counts=(20, 0, 0)),
    "xdist by file": Case(
        command=f"{XDIST} -n 2 --dist loadfile", text=MANY, verdict="passed", counts=(20, 0, 0)
    ),
    "xdist, no worker": Case(command=f"{XDIST} -n 0", text=MANY, verdict="passed", counts=(20, 0, 0)),
    "xdist, a worker crashes": Case(
        command=f"{XDIST} -n 2",
        text=MANY + "def test_dies():\n    import os; os.abort()\n",
        verdict="failed",
        counts=(20, 1, 0),
        reason="test_it.py::test_dies failed",
    ),
    "xdist, a worker crashes and is not replaced": Case(
        command=f"{XDIST} -n 1 --max-worker-restart 0",
        text="def test_dies():\n    import os; os.abort()\n" + PASS,
        verdict="failed",
        counts=(0, 1, 0),
        reason="test_it.py::test_dies failed",
    ),
    "xdist -x": Case(command=f"{XDIST} -n 1 -x", text=FAIL, verdict="failed", counts=(1, 1, 0)),
    "xdist, interrupted": Case(
        command=f"{XDIST} -n 1",
        text="def test_a(): raise KeyboardInterrupt\n",
        verdict="failed",
        counts=(0, 1, 0),
    ),
    "randomly": Case(
        command="python -m pytest -p randomly", text=MANY, verdict="passed", counts=(20, 0, 0)
    ),
    "randomly, with xdist": Case(
        command=f"{XDIST} -n 2 -p randomly", text=MANY, verdict="passed", counts=(20, 0, 0)
    ),
    "rerun": Case(
        command="python -m pytest -p pytest_rerunfailures --reruns 1",
        text="import os\ndef test_a():\n    found = os.path.exists('x')\n    open('x', 'w')\n    assert found\n",
        verdict="passed",
        counts=(1, 0, 0),
    ),
    "timeout by signal": Case(
        command="python -m pytest -p pytest_timeout --timeout 0.5",
        text="import time\ndef test_a(): time.sleep(60)\ndef test_b(): pass\n",
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_it.py::test_a failed",
    ),
    "timeout by thread": Case(
        command="python -m pytest -p pytest_timeout --timeout 0.5 --timeout-method thread",
        text="import time\ndef test_a(): time.sleep(60)\ndef test_b(): pass\n",
        verdict="lost",
        counts=(0, 0, 0),
        reason="test_it.py::test_a began and never ended",
    ),
    "doctests": Case(
        command="python -m pytest --doctest-modules",
        text='def f():\n    """\n    >>> 1 + 1\n    3\n    """\ndef test_a(): pass\n',
        verdict="failed",
        counts=(1, 1, 0),
        reason="test_it.py::test_it.f failed",
    ),
    "odd ids": Case(
        command="python -m pytest",
        text="import pytest\nIDS = ['a::b', '[x]', 'é ü', '\\\\n', ' ', 'farm:job', 'x' * 5000, '\\N{SNAKE}']\n"
        "@pytest.mark.parametrize('n', IDS, ids=IDS)\ndef test_n(n): pass\n"
        "@pytest.mark.parametrize('n', ['\\x00', b'\\xff', '\\udc80', '\\n'])\ndef test_m(n): pass\n",
        verdict="passed",
        counts=(12, 0, 0),
    ),
    "subtests": Case(
        command="python -m pytest",
        text="def test_a(subtests):\n    for n in range(3):\n        with subtests.test(n=n): assert n != 1\n"
        "def test_b(subtests):\n    with subtests.test('x'): pass\n",
        verdict="failed",
        counts=(1, 2, 0),
        reason="test_a",
    ),
    "an error in collection": Case(
        command="python -m pytest", text="1/0\n", verdict="failed", counts=(0, 1, 0), reason="test_it.py failed"
    ),
}  # fmt: skip


def judged(stream: Stream) -> tuple[str, str, TestCounts]:
    """The verdict, its reason and the counts, as the farm has them from this stream."""
    results = Results(("one",))
    results.feed(stream.events)
    results.close()
    found = judge(results.evidence())
    return found.verdict.value, found.reason or "", results.counts


@pytest.mark.parametrize("name", CASES)
def test_a_run_that_ends_so_has_its_verdict(agent: AgentHost, site: Path, name: str) -> None:
    """However a test run goes on and ends, word, sentence and counts are exact."""
    case = CASES[name]
    ini = INI.format(site=site, command=case.command)
    stream = agent.run({"tox.ini": ini, "test_it.py": case.text, "conftest.py": case.more})
    verdict, reason, counts = judged(stream)
    found = (verdict, (counts.passed, counts.failed, counts.skipped))
    assert found == (case.verdict, case.counts), f"{reason}\n{stream.log}"
    assert case.reason in reason
