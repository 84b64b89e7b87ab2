"""The pytest plugin with the pytests of old, which projects pin where Pythons of old are still tested."""

import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from .listening import PytestRun
from .test_unittest_hook import VERSIONS

TESTS = """
import pytest

def test_passes(): pass
def test_fails(): assert 1 == 2
@pytest.mark.skipif("True", reason="because")
def test_skips(): pass
@pytest.mark.xfail
def test_xfails(): assert False
@pytest.fixture
def broken(): raise RuntimeError("in setup")
def test_setup(broken): pass
@pytest.fixture
def leaving(request):
    request.addfinalizer(lambda: 1 / 0)
def test_teardown(leaving): pass
"""
STATUSES = {
    "passes": "success",
    "fails": "fail",
    "skips": "skip",
    "xfails": "xfail",
    "setup": "fail",
    "teardown": "fail",
}
PINS = [("2.7", "2.9.2"), ("3.6", "3.0.7"), ("3.6", "3.2.5"), ("3.6", "3.4.2")]
# The last virtualenv that makes environments of these Pythons, with the pip it carries: the newer one that
# another virtualenv left in the user's cache may not know the old Python at all.
VIRTUALENV = ["--from", "virtualenv==20.21.1", "virtualenv", "-q", "--no-periodic-update", "--pip", "embed"]


@pytest.mark.parametrize(("python", "version"), PINS)
def test_each_test_has_its_status(python: str, version: str, tmp_path: Path) -> None:
    """A pytest that does not tell of a test's end, or does not know our hooks, gives what newer ones give."""
    interpreter = next(iter(VERSIONS.glob(f"{python}.*/bin/python")), None)
    if interpreter is None:
        pytest.skip(f"pyenv has no Python {python} here, and pytest {version} runs on no newer one")
    venv, uv = tmp_path / "venv", find_uv_bin()
    maker: list[str | Path] = [uv, "tool", "run", "-q", *VIRTUALENV, "--python", interpreter, venv]
    subprocess.run(maker, check=True, timeout=300)
    command = [str(venv / "bin/pip"), "install", "-q", f"pytest=={version}", "attrs==17.4.0"]
    subprocess.run(command, check=True, timeout=300)
    run = PytestRun(tmp_path, {"test_it.py": TESTS}, python=str(venv / "bin/python"))
    assert run.tests() == {f"test_it.py::test_{name}": status for name, status in STATUSES.items()}, (
        run.output
    )
    assert run.exit_code == 1
    assert "assert 1 == 2" in run.attachment("test_it.py::test_fails", "traceback")
