"""Which lock file a project has, and what kind it is.

Called by the runner. It never reads two: several that could be meant are an error that names them, as is none.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import document

if TYPE_CHECKING:
    from pathlib import Path

    from tox_wheelfarm.locks.lock import Lock
    from tox_wheelfarm.locks.project import Project

FORMATS = {
    "pylock": ("tox_wheelfarm.locks.pylock", "Pylock"),
    "uv": ("tox_wheelfarm.locks.uv_lock", "UvLock"),
    "poetry": ("tox_wheelfarm.locks.poetry", "PoetryLock"),
    "pdm": ("tox_wheelfarm.locks.pdm", "PdmLock"),
    "pipfile": ("tox_wheelfarm.locks.pipfile", "PipfileLock"),
    "requirements": ("tox_wheelfarm.locks.requirements", "RequirementsLock"),
}
"""Imported when one is read: an environment has one lock file."""

NAMES = {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm", "Pipfile.lock": "pipfile"}
PYLOCK = re.compile(r"pylock\.(?:[^.]+\.)?toml")
HASH = re.compile(rb"--hash[= ]\s*\w+:")
KNOWN = "pylock.toml, pylock.NAME.toml, uv.lock, poetry.lock, pdm.lock, Pipfile.lock, requirements*.txt with hashes"


def find(root: Path, name: str = "") -> Path:
    """The lock file of a project.

    Args:
        root: the project's folder.
        name: the one that is meant, relative to the folder; "" for the first that is there, in the order of `KNOWN`.

    Raises:
        LockFileError: there is none, or several could be meant.
    """
    if name:
        path = root / name
        if not path.is_file():
            raise LockFileError(f"the lock file {path} is not there{_instead(root)}")
        return path
    for candidates in _candidates(root):
        if len(candidates) > 1:
            told = ", ".join(path.name for path in candidates)
            raise LockFileError(f"{root} has several lock files of one kind: {told}; name one (lockfile = …)")
        if candidates:
            return candidates[0]
    raise LockFileError(f"{root} has no lock file; it can be one of {KNOWN}")


def read(path: Path, project: Project) -> Lock:
    """Read a lock file, whatever its format is.

    Raises:
        LockFileError: it cannot be read, or is of no known format.
    """
    data = document.contents(path)
    kind = _format(path, data)
    module, name = FORMATS[kind]
    lock = getattr(import_module(module), name).read(path, data)
    # Formats that can be for another folder than their own, such as uv's for a member of a workspace.
    of = getattr(lock, "of", None)
    return cast("Lock", of(project) if of else lock)


def _candidates(root: Path) -> list[list[Path]]:
    there = sorted(path for path in root.iterdir() if path.is_file()) if root.is_dir() else []
    by_name = {path.name: path for path in there}
    exact = [[by_name[name]] if name in by_name else [] for name in ("pylock.toml", *NAMES)]
    exact.insert(1, [path for path in there if PYLOCK.fullmatch(path.name) and path.name != "pylock.toml"])
    if not any(exact):
        exact.append(_workspace(root))
    exact.append(
        [
            path
            for path in there
            if re.fullmatch(r"requirements.*\.txt", path.name) and HASH.search(document.contents(path))
        ]
    )
    return exact


def _workspace(root: Path) -> list[Path]:
    """The uv.lock of the workspace that a folder is a member of: the nearest one above that holds the folder."""
    for above in root.absolute().parents:
        path = above / "uv.lock"
        if path.is_file():
            inside = re.escape(root.absolute().relative_to(above).as_posix().encode())
            held = re.search(rb'(editable|virtual|directory) = "' + inside + rb'"', document.contents(path))
            return [path] if held else []
    return []


def _format(path: Path, data: bytes) -> str:
    if path.name in NAMES:
        return NAMES[path.name]
    if PYLOCK.fullmatch(path.name):
        return "pylock"
    if path.suffix in {".txt", ".in"}:
        return "requirements"
    return _by_content(path, data)


def _by_content(path: Path, data: bytes) -> str:
    """The format of a file with a name of its own, such as `locks/ci.lock`."""
    if data.lstrip()[:1] == b"{":
        if "_meta" in document.json_object(path, data):
            return "pipfile"
    elif HASH.search(data):
        return "requirements"
    else:
        table = document.toml(path, data)
        if "lock-version" in table and "packages" in table:
            return "pylock"
        metadata = table.table("metadata")
        if "lock-version" in metadata or "poetry-version" in metadata:
            return "poetry"
        if "lock_version" in metadata:
            return "pdm"
        if table.values.get("version") == 1 and ("requires-python" in table or "package" in table):
            return "uv"
    raise LockFileError(f"{path} is no lock file of a known format; it can be one of {KNOWN}")


def _instead(root: Path) -> str:
    there = [path.name for candidates in _candidates(root) for path in candidates]
    return f"; {root} has {', '.join(there)}" if there else f"; it can be one of {KNOWN}"
