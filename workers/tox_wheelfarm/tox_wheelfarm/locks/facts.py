"""The target that a real interpreter is, asked of it once for all environments (`answers`).

Called by the runner. The question is a small script that Python 2.7 and everything newer understands; it never imports
anything of the project's folder, and nothing of ours runs there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from tox_wheelfarm import answers
from tox_wheelfarm.errors import InterpreterError
from tox_wheelfarm.locks import tags
from tox_wheelfarm.locks.target import Target

SECONDS = 60
"""A cold interpreter on a slow disk takes seconds; longer is a defect of it."""

MARK = "tox-wheelfarm facts: "
"""Before the answer: a `sitecustomize` or `.pth` file may write lines of its own."""

QUESTION = """
import sys
sys.path[:] = [place for place in sys.path if place not in ("", ".")]
import json, os, platform, struct, sysconfig

def dotted(info):
    version = "%d.%d.%d" % tuple(info[:3])
    return version if info[3] == "final" else version + info[3][0] + str(info[4])

def variable(name):
    value = sysconfig.get_config_var(name)
    return value if isinstance(value, (int, str)) else None

def libc():
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, OSError, ValueError):
        pass
    try:  # Python 2.7 does not know that name
        import ctypes
        ask = ctypes.CDLL(None).gnu_get_libc_version
        ask.restype = ctypes.c_char_p
        return "glibc " + ask().decode()
    except Exception:
        return ""

own = getattr(sys, "implementation", None)
marker = {
    "implementation_name": own.name if own else "",
    "implementation_version": dotted(own.version) if own else "0",
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "python_version": ".".join(platform.python_version_tuple()[:2]),
    "sys_platform": sys.platform,
}
answer = {
    "marker": marker,
    "version": list(sys.version_info[:2]),
    "platform": sysconfig.get_platform(),
    "bits": struct.calcsize("P") * 8,
    "libc": libc(),
    "macos": platform.mac_ver()[0],
    "debug": bool(variable("Py_DEBUG")) or hasattr(sys, "gettotalrefcount"),
    "free_threaded": bool(variable("Py_GIL_DISABLED")),
    "pymalloc": variable("WITH_PYMALLOC") not in (0, "0", ""),
    "wide": sys.maxunicode > 65535,
    "suffix": variable("EXT_SUFFIX") or variable("SO") or "",
    "pypy": list(getattr(sys, "pypy_version_info", ())[:2]),
}
sys.stdout.write("\\ntox-wheelfarm facts: " + json.dumps(answer) + "\\n")
"""


def target(python: Path) -> Target:
    """What an interpreter is: its marker variables and the wheel tags that it takes, the best first.

    Asked again only when the program behind the path has changed.

    Raises:
        InterpreterError: it does not start, or does not answer.
    """
    try:
        status = python.stat()
        real = str(python.resolve())
    except OSError as wrong:
        raise InterpreterError(f"{python} cannot be started: {wrong.strerror}") from wrong
    return _target(real, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _target(python: str, changed_ns: int, size: int) -> Target:  # noqa: ARG001 - the key of the cache
    answer = answers.answer(QUESTION, Path(python), lambda: _ask(python))
    environment = {str(key): str(value) for key, value in answer["marker"].items()}
    return Target(environment=environment, tags=tuple(tags.of(_build(answer), _platforms(answer, python))))


def _ask(python: str) -> dict[str, Any]:
    # Without site: nothing that is installed there may speak for the interpreter, or be kept with the answer. Only an
    # environment of Python 2.7 finds its library by site; it is a file of its own, so its answer is its own.
    try:
        return _said(python, "-S")
    except InterpreterError:
        return _said(python)


def _said(python: str, *flags: str) -> dict[str, Any]:
    try:
        done = subprocess.run(
            [python, "-E", "-s", *flags, "-c", QUESTION],
            # macOS 11 and later tells an old program that it is 10.16 unless this is set.
            env={**os.environ, "SYSTEM_VERSION_COMPAT": "0"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise InterpreterError(f"{python} cannot be asked what it is: {wrong}") from wrong
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1][:300]
        raise InterpreterError(f"{python} does not say what it is (exit code {done.returncode}): {said}")
    answer: dict[str, Any] = json.loads(lines[-1][len(MARK) :])
    return answer


def _build(answer: dict[str, Any]) -> tags.Build:
    major, minor = answer["version"]
    implementation: str = answer["marker"]["platform_python_implementation"]
    return tags.Build(
        implementation=answer["marker"]["implementation_name"] or implementation.lower(),
        version=(major, minor),
        debug=answer["debug"],
        free_threaded=answer["free_threaded"],
        pymalloc=answer["pymalloc"],
        wide=answer["wide"],
        suffix=answer["suffix"],
        pypy=tuple(answer["pypy"]),
    )


def _platforms(answer: dict[str, Any], python: str) -> list[str]:
    told: str = answer["platform"]
    if told.startswith("macosx") and answer["macos"]:
        return tags.macos(answer["macos"], answer["marker"]["platform_machine"])
    if told.startswith("linux"):
        return tags.linux(told, answer["bits"], answer["libc"] or _musl(python))
    return [tags.plain(told)]


def _musl(python: str) -> str:
    """`musl 1.2` where that is the libc; its loader says so itself when it is started without a program."""
    for loader in sorted(Path("/lib").glob("ld-musl-*.so.1")):
        try:
            done = subprocess.run(
                [str(loader), "--list", python], capture_output=True, text=True, timeout=SECONDS, check=False
            )
            said = subprocess.run(
                [str(loader)], capture_output=True, text=True, timeout=SECONDS, check=False
            ).stderr
        except (OSError, subprocess.TimeoutExpired):
            continue
        found = re.search(r"Version (\d+\.\d+)", said)
        if found and done.returncode == 0:
            return f"musl {found[1]}"
    return ""
