"""Every class of error, fired in a run of tox: one message with the class's name, and what it is about."""

import shutil

import pytest
from tests.pyenv import VERSIONS

from tox_wheelfarm import errors

NAMES = sorted(
    name
    for name, each in vars(errors).items()
    if isinstance(each, type) and each is not errors.InstallerError
)


@pytest.fixture
def index(index):
    """Releases that fit together, some that do not, and one that was withdrawn."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("high", "1.0", "low>=2")
    index.release("builds", "1.0", "setuptools")
    index.release("gone", "1.0", yanked="it eats data")
    return index


def ini(bench, *lines):
    """Settings of an environment without the project."""
    bench.ini("skip_install = true", *lines)


def locked(bench, *lines):
    """A project that uv has locked, with these settings."""
    bench.project("low<2", groups={"dev": ["low<2"]})
    bench.lock()
    ini(bench, *lines)


def _poetry_not_installed(bench):
    ini(bench)
    return "poetry cannot be imported", "--require-poetry"


def _locked_dep_version_conflict(bench):
    locked(bench, "locked_deps = low==1.0")
    return ("'low==1.0'",)


def _locked_dep_not_found(bench):
    locked(bench, "locked_deps = lwo")
    return ("lwo cannot be taken from",)


def _extra_not_found(bench):
    locked(bench, "poetry_dep_groups = dve")
    return ("'dve'",)


def _locked_deps_required(bench):
    locked(bench, "require_locked_deps = true", "deps = high")
    return ("no lock file decides high",)


def _requires_unsafe_dep(bench):
    bench.pylock(("builds", "1.0"))
    ini(bench)
    return ("setuptools",)


def _conflict(bench):
    bench.pylock(("high", "1.0"), ("low", "1.0"))
    ini(bench)
    return ("low 1.0 is installed, but high 1.0 -> low>=2",)


def _hash_missing(bench):
    bench.write("requirements.txt", "low==1.0\n")
    ini(bench, "lockfile = requirements.txt")
    return ("no hash for low 1.0",)


def _stale_lock(bench):
    locked(bench)
    bench.project("low<2", "high")
    return ("high",)


def _offline_miss(bench):
    bench.pylock(("low", "1.0"))
    ini(bench)
    return "low", "--offline"


def _lock_file(bench):
    ini(bench, "lockfile = nowhere.lock")
    return ("nowhere.lock",)


def _constraints(bench):
    ini(bench, "deps = high", "constraints = low===1.0")
    return ("low===1.0",)


def _yanked(bench):
    ini(bench, "deps = gone==1.0", "yanked = refuse")
    return ("gone 1.0 (it eats data)",)


def _interpreter(bench):
    below = VERSIONS
    found = [*sorted(below.glob("2.7.*/bin/python")), shutil.which("python2.7")]
    assert found[0], "needs `pyenv install 2.7`, or python2.7 on PATH"
    del bench.variables["UV_DEFAULT_INDEX"]  # virtualenv 20.21.1 is on PyPI
    bench.project()
    bench.ini("package = wheel", f"base_python = {found[0]}")
    return ("cannot be built with Python 2.7",)


def _resolution(bench):
    ini(bench, "deps =", "  high", "  low<2")
    return ("low",)


def _install_failed(bench):
    bench.requirements("low==1.0")
    bench.index.files["low"].clear()
    bench.index.release("low", "1.0", code="import os  # not what was locked\n")
    ini(bench, "lockfile = requirements.txt")
    return ("uv pip install failed",)


def _damaged(bench):
    ini(bench, "deps = low")
    bench.passes()
    next(bench.site().glob("low-*.dist-info/METADATA")).unlink()
    return "low-2.0.dist-info has no metadata", "--skip-env-install"


FIRING = {
    "PoetryNotInstalledError": _poetry_not_installed,
    "LockedDepVersionConflictError": _locked_dep_version_conflict,
    "LockedDepNotFoundError": _locked_dep_not_found,
    "ExtraNotFoundError": _extra_not_found,
    "LockedDepsRequiredError": _locked_deps_required,
    "RequiresUnsafeDepError": _requires_unsafe_dep,
    "ConflictError": _conflict,
    "HashMissingError": _hash_missing,
    "StaleLockError": _stale_lock,
    "OfflineMissError": _offline_miss,
    "LockFileError": _lock_file,
    "ConstraintsError": _constraints,
    "YankedError": _yanked,
    "InterpreterError": _interpreter,
    "ResolutionError": _resolution,
    "InstallFailedError": _install_failed,
    "DamagedError": _damaged,
}
"""What sets up each class, and gives what its message holds beside its name, and the flags of the run."""


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_told_by_its_name(bench, name):
    """The environment fails with the class's name and what it is about; the bench holds that no traceback is shown."""
    about, *flags = FIRING[name](bench)
    run = bench.fails(*flags)
    _, message = run.said.split("a: failed with ")
    assert message.startswith(f"{name}: ")
    assert about in message
