"""What interpreters answered when they were asked what they are, kept from one environment to the next.

Called by `interpreter` and `locks.facts`, which ask. An answer counts only for the very file that gave it, on the same
system; one that cannot be read, or is of another file, is asked for anew and never guessed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.kept import keep

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 2**20
"""Bytes; a larger file is not ours."""


def answer(question: str, executable: Path, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `ask` gives, or gave for this very file.

    Args:
        question: the program that the interpreter runs; another one has other answers.
        executable: the interpreter, with links resolved.
        ask: starts it; what it raises is not kept.

    Raises:
        OSError: there is no such file.
    """
    found = executable.stat()
    of = [str(executable), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, *system()]
    name = hashlib.sha256(f"{executable}\n{question}".encode()).hexdigest()
    path = user_cache_path("tox-wheelfarm") / f"interpreter-{name}.json"
    with suppress(OSError, ValueError, KeyError, TypeError):
        if path.stat().st_size <= LIMIT:
            held = json.loads(path.read_bytes())
            if held["of"] == of and isinstance(held["answer"], dict):
                return dict(held["answer"])
    told = ask()
    with suppress(InstallFailedError):  # A cache that cannot be written only costs time.
        keep(path, json.dumps({"of": of, "answer": told}).encode())
    return told


def system() -> list[str]:
    """What an interpreter tells of besides itself: the system that it runs on, which may be upgraded under it."""
    libc = ""
    with suppress(AttributeError, ValueError, OSError):
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    return [
        platform.system(),
        platform.machine(),
        platform.release(),
        platform.version(),
        libc,
        *map(_variable, ASKED),
    ]


def _variable(name: str) -> str:
    return os.environ.get(name, "")


ASKED = ("_PYTHON_HOST_PLATFORM", "MACOSX_DEPLOYMENT_TARGET")
"""Variables that change what an interpreter says of its platform."""
