"""Which runner a project's tests want, told by its files: pytest, unittest, Django's, or none as there are no tests.

Called by inference for a project without tox configuration. It reads text and names; nothing is imported or run.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from farm_scheduler.cibuildwheel import ROOT, wheel_settings
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tool_needs import hatch_test_scripts
from farm_scheduler.tox_configuration import read_pyproject

MOST_STARTS = 10
"""Folders that unittest is started in."""

_FOLDERS = frozenset({"test", "tests", "testing"})
_ELSEWHERE = re.compile(r"(?:docs?|examples?|benchmarks?|build|dist|\..*)/")
_PYTEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
_UNITTEST_FILE = re.compile(r"(?:.*/)?(?:test[^/]*|[^/]*_tests?)\.py")
_IMPORTS_PYTEST = re.compile(r"^[ \t]*(?:import|from)[ \t]+pytest\b", re.MULTILINE)
_TEST_CASE = re.compile(r"^class[ \t]+\w+\(.*TestCase\b", re.MULTILINE)
_TEST_FUNCTION = re.compile(r"^(?:async[ \t]+)?def[ \t]+test", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """How a project is tested.

    Attributes:
        name: `pytest`, `unittest`, `django`, or `none`.
        reason: what in the files says so.
        commands: for tox, in order; none for `none`.
        deps: what the commands need besides the project.
        of_wheels: whether it is cibuildwheel's test command, which brings its own needs.
        alone: whether the commands run outside the project's folder.
    """

    name: str
    reason: str
    commands: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    of_wheels: bool = False
    alone: bool = False


def find_runner(files: ProjectFiles) -> Runner:
    """The runner of a project's tests."""
    tests = {name for name in files.names if _UNITTEST_FILE.fullmatch(name) and not _ELSEWHERE.match(name)}
    folders = any(
        name.endswith(".py") and _FOLDERS.intersection(name.split("/")[:-1]) for name in files.names
    )
    if not tests and not folders:
        return _of_wheels(files, named=True) or Runner(name="none", reason="it has no file of tests")
    reason = _wants_pytest(files, tests)
    if reason is None:
        if "manage.py" in files.names:
            command = "python manage.py test"
            return Runner(
                name="django", reason="it has manage.py and does not speak of pytest", commands=(command,)
            )
        found = [name for name in tests if _TEST_CASE.search(files.text(name) or "")]
        cases = sorted(name for name in found if name.rpartition("/")[2].startswith("test"))
        if cases:
            reason = f"{cases[0]} has classes of unittest, and nothing speaks of pytest"
            return Runner(name="unittest", reason=reason, commands=tuple(_discover(cases, files)))
        of_wheels = _of_wheels(files, named=False)
        if of_wheels is not None:
            return of_wheels
        if not any(_PYTEST_FILE.fullmatch(name) for name in tests):
            return Runner(name="none", reason="none of its files looks like a test")
        reason = "it has files of tests, and nothing names their runner"
    return Runner(name="pytest", reason=reason, commands=("pytest {posargs}",), deps=("pytest",))


def _of_wheels(files: ProjectFiles, *, named: bool) -> Runner | None:
    """The test command of cibuildwheel, if it can be run; with `named` only one that names a part of the project."""
    settings = wheel_settings(files)
    if not settings.commands or (named and not any(f"{ROOT}/" in each for each in settings.commands)):
        return None
    return Runner(
        name=settings.runner,
        reason=f"[tool.cibuildwheel] has test-command {settings.shown}",
        commands=settings.commands,
        deps=("pytest",) if settings.runner == "pytest" else (),
        of_wheels=True,
        alone=settings.alone,
    )


def _wants_pytest(files: ProjectFiles, tests: Iterable[str]) -> str | None:
    """What says that the tests are for pytest; None when nothing does."""
    configured = _configures_pytest(files)
    if configured is not None:
        return configured
    for name in sorted(tests):
        text = files.text(name) or ""
        if _IMPORTS_PYTEST.search(text):
            return f"{name} imports pytest"
        if _PYTEST_FILE.fullmatch(name) and _TEST_FUNCTION.search(text):
            return f"{name} has test functions"
    return None


def _configures_pytest(files: ProjectFiles) -> str | None:
    """The file that is there for pytest alone, or that has a section for it."""
    tool: Any = read_pyproject(files).get("tool")
    if isinstance(tool, Mapping) and "pytest" in tool:
        return "pyproject.toml has [tool.pytest]"
    if "[tool:pytest]" in (files.text("setup.cfg") or ""):
        return "setup.cfg has [tool:pytest]"
    scripts = (where for where, commands in hatch_test_scripts(files) if "pytest" in commands)
    if script := next(scripts, None):
        return f"hatch's script {script} calls pytest"
    own = {"pytest.ini", ".pytest.ini", "pytest.toml", "conftest.py"}
    names = sorted(name for name in files.names if name in own or name.endswith("/conftest.py"))
    return f"it has {names[0]}" if names else None


def _discover(cases: Iterable[str], files: ProjectFiles) -> Iterator[str]:
    """The commands that find these tests: unittest goes down into packages only, so each starts above them."""
    for start in sorted({_start(name.rpartition("/")[0], files) for name in cases})[:MOST_STARTS]:
        yield "python -m unittest discover -v" + (f" -s {_quoted(start)}" if start else "")


def _start(folder: str, files: ProjectFiles) -> str:
    while folder and f"{folder}/__init__.py" in files.names:
        folder = folder.rpartition("/")[0]
    return folder


def _quoted(folder: str) -> str:
    return folder if re.fullmatch(r"[\w./-]+", folder) and not folder.startswith("-") else "."
