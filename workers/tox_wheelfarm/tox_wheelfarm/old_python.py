"""Environments of interpreters that today's tools no longer make: Python 2.7, and 3.6 to 3.8 with their last pip.

Called by `environment` for every interpreter: `family` decides once which program makes and fills it. uv makes those of
3.6 and later, PyPy and free-threaded builds included; virtualenv 20.21.1, the last that knows 2.7, makes the rest. That
virtualenv is installed by hash for the moment of its run, so it never depends on what a person has, and leaves nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm.errors import InstallFailedError, InterpreterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tox_wheelfarm.uv import Uv

SECONDS = 300
"""The time limit of making one environment, and of asking one interpreter who it is."""

VIRTUALENV = """\
virtualenv==20.21.1 --hash=sha256:09ddbe1af0c8ed2bb4d6ed226b9e6415718ad18aef9fa0ba023d96b7a8356049
distlib==0.3.9 --hash=sha256:47f8c22fd27c27e25a65601af709b38e4f0a45ea4fc2e710f65755fa8caaaf87
filelock==3.12.2 --hash=sha256:cbb791cdea2a72f23da6ac5b5269ab0a0d161e9ef0100e653b69049a7706d1ec
platformdirs==3.11.0 --hash=sha256:e9d171d00af68be50e9202731309c4e658fd8bc76f55c11c7dd760d023bda68e
"""
"""The wheels of the last virtualenv that makes environments of 2.7, and what it needs; it runs on 3.9 to 3.14."""

SEEDS: Mapping[tuple[int, int], Mapping[str, str]] = {
    (2, 7): {"pip": "20.3.4", "setuptools": "44.1.1", "wheel": "0.37.1"},
    (3, 6): {"pip": "21.3.1", "setuptools": "59.6.0", "wheel": "0.37.1"},
    (3, 7): {"pip": "24.0", "setuptools": "68.0.0", "wheel": "0.42.0"},
    (3, 8): {"pip": "25.0.1", "setuptools": "75.3.4", "wheel": "0.45.1"},
}
"""The last release of each seed that runs on an old Python; newer Pythons take the newest."""

WHO = """\
import json, platform, sys
print(json.dumps([list(sys.version_info[:3]), platform.python_implementation(), sys.executable]))
"""


@dataclass(frozen=True)
class Identity:
    """What an interpreter says it is.

    Attributes:
        version_info: major, minor and micro version of the language.
        implementation: `CPython`, `PyPy` or `GraalVM`, as `platform.python_implementation()` has it.
        executable: where it says it is.
    """

    version_info: tuple[int, int, int]
    implementation: str
    executable: Path


def family(version_info: tuple[int, ...], implementation: str) -> str:
    """Which program makes and fills an environment: `uv`, or `pip` (with virtualenv 20.21.1).

    Args:
        version_info: at least major and minor.
        implementation: as `platform.python_implementation()` has it; any case.

    Raises:
        InterpreterError: nothing that is at hand makes environments of it.
    """
    version = tuple(version_info[:2])
    if version >= (3, 6):
        return "uv"
    if version == (2, 7) and implementation.lower() in {"cpython", "pypy"}:
        return "pip"
    told = ".".join(str(part) for part in version)
    raise InterpreterError(
        f"{implementation} {told} cannot be used: environments are made for Python 2.7 (CPython, PyPy) and for 3.6 "
        "and later; name another one in base_python"
    )


def identify(python: Path) -> Identity:
    """Start an interpreter of any age and ask what it is.

    Raises:
        InterpreterError: it is not there, does not answer, or is no Python.
    """
    try:
        done = subprocess.run(
            [str(python), "-E", "-S", "-c", WHO],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
        version, implementation, executable = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise InterpreterError(f"the interpreter {python} does not start: {wrong}") from wrong
    except (ValueError, TypeError) as wrong:
        end = (done.stderr.strip() or done.stdout.strip())[-400:]
        raise InterpreterError(
            f"{python} is not a Python that works (exit code {done.returncode}): {end}"
        ) from wrong
    return Identity(tuple(version), implementation, Path(executable))


def seeds(version_info: tuple[int, ...], names: tuple[str, ...] = ("pip",)) -> tuple[str, ...]:
    """The requirements for seeds of an interpreter: exact for an old one, else the names as they are."""
    last = SEEDS.get((version_info[0], version_info[1]), {})
    return tuple(f"{name}=={last[name]}" if name in last else name for name in names)


def make(path: Path, python: Path, uv: Uv, system_site_packages: bool) -> None:
    """Make an empty environment: without seeds by uv, with pip, setuptools and wheel for Python 2.7.

    Args:
        path: its folder; what it holds is kept, so a damaged one is for the caller to take away before.
        python: the interpreter, of any version and implementation that `family` takes.
        uv: as the environment has it; offline first. For 2.7 its constraints are not used, the seeds are fixed.
        system_site_packages: whether it sees what is installed beside the interpreter.

    Raises:
        InterpreterError: the interpreter cannot be used.
        OfflineMissError: offline was asked for, and virtualenv 20.21.1 is not in uv's cache.
        InstallFailedError: uv or virtualenv failed.
    """
    who = identify(python)
    more = ["--system-site-packages"] if system_site_packages else []
    if family(who.version_info, who.implementation) == "uv":
        path.parent.mkdir(parents=True, exist_ok=True)
        arguments = [
            "venv",
            "--quiet",
            "--no-project",
            "--allow-existing",
            "--python",
            str(python),
            *more,
            str(path),
        ]
        uv.run(arguments, cwd=path.parent, network=False)
        return
    with tempfile.TemporaryDirectory(prefix="wheelfarm-virtualenv-") as folder:
        _fetch_virtualenv(Path(folder), uv)
        _run_virtualenv(Path(folder), ["--python", str(python), *more, str(path)])


def _fetch_virtualenv(folder: Path, uv: Uv) -> None:
    listed = folder / "virtualenv.txt"
    listed.write_text(VIRTUALENV, encoding="utf-8")
    arguments = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    where = ["--python", sys.executable, "--target", str(folder / "packages"), "-r", str(listed)]
    try:
        uv.run([*arguments, *where], cwd=folder)
    except InstallFailedError as failed:
        raise InstallFailedError(
            "virtualenv 20.21.1, which makes environments of Python 2.7, cannot be had from where releases come from "
            f"(the index, --find-links, --no-index).\n{failed}"
        ) from None


def _run_virtualenv(folder: Path, arguments: list[str]) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUALENV_", "PYTHON"))
    }
    # What another virtualenv left in a person's cache may not know 2.7, and what this one leaves is of no use to it.
    own = {"PYTHONPATH": str(folder / "packages"), "VIRTUALENV_CONFIG_FILE": str(folder / "none.ini")}
    fixed = ["--app-data", str(folder / "data"), "--no-download", "--no-periodic-update", "--no-vcs-ignore"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "virtualenv", *fixed, *arguments],
            env={**kept, **own},
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise InstallFailedError(f"virtualenv took longer than {SECONDS} s and was stopped") from late
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise InstallFailedError(f"virtualenv 20.21.1 failed (exit code {done.returncode}):\n{end}")
