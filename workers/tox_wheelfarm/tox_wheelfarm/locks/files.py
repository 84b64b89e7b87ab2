"""Which lock file a project has, and what kind it is.

Called by the runner. It never reads two: several that could be meant are an error that names them, as is none.
"""

from __future__ import annotations

import os.path
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
LIST = re.compile(r"requirements.*\.txt")
HASH = re.compile(rb"--hash[= ]\s*\w+:")
INCLUDED = re.compile(rb"^[ \t]*(?:-r|--requirement(?=[ \t=]))[ \t=]*([^\s#]+)", re.MULTILINE)
LOOSE = re.compile(
    rb"^[ \t]*(?=[^-#.\s])(?![\w.-]+[ \t]*(?:\[[^]\n]*\])?[ \t]*(?:===?(?![^;#\n]*\*)|@))", re.MULTILINE
)
"""A line that neither is an option nor decides anything exactly."""
MOST_INCLUDED = 50
"""As many files as are read of a list (`requirement_lines`)."""
MARKS = b"\xef\xbb\xbf\xff\xfe"
"""The bytes of byte order marks."""
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
    first = found(root)
    if first is None:
        raise LockFileError(f"{root} has no lock file; it can be one of {KNOWN}")
    return first


def found(root: Path) -> Path | None:
    """The first lock file that is there, in the order of `KNOWN`; None without any.

    Raises:
        LockFileError: several could be meant, or what has the name of one is no file.
    """
    there = sorted(root.iterdir()) if root.is_dir() else []
    named = [path for path in there if path.name in NAMES or PYLOCK.fullmatch(path.name)]
    broken = [path for path in named if not path.is_file()]
    for candidates in (broken[:1], *_candidates(root)):
        if len(candidates) > 1:
            told = ", ".join(path.name for path in candidates)
            raise LockFileError(f"{root} has several lock files of one kind: {told}; name one (lockfile = …)")
        if candidates and not candidates[0].is_file():
            what = "is a folder" if candidates[0].is_dir() else "is a link that leads nowhere, or no file"
            raise LockFileError(f"{candidates[0]} {what}; name another one (lockfile = …)")
        if candidates:
            return candidates[0]
    return None


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
    everything = sorted(root.iterdir()) if root.is_dir() else []
    there = [path for path in everything if path.is_file()]
    by_name = {path.name: path for path in there}
    exact = [[by_name[name]] if name in by_name else [] for name in ("pylock.toml", *NAMES)]
    exact.insert(1, [path for path in there if PYLOCK.fullmatch(path.name) and path.name != "pylock.toml"])
    if not any(exact):
        exact.append(_workspace(root))
    exact.append(_lists([path for path in everything if LIST.fullmatch(path.name)]))
    return exact


def _lists(named: list[Path]) -> list[Path]:
    """The lists that are locks by their hashes, else by those of what they include; a dead link may be one."""
    there = [path for path in named if path.is_file()]
    dead = [path for path in named if path.is_symlink() and not path.exists()]
    hashed = [path for path in there if HASH.search(_searched(path))] or [
        path for path in there if path.name == "requirements.txt" and _includes_a_lock(path)
    ]
    return sorted([*dead, *hashed])


def _searched(path: Path) -> bytes:
    # UTF-16 as well, near enough: what is a lock but for that is then refused by who reads it, not overlooked.
    return document.contents(path).lstrip(MARKS).replace(b"\0", b"")


def _includes_a_lock(path: Path) -> bool:
    """Whether some that it includes have hashes, and those without any leave nothing open."""
    files, seen, hashed = [path], {path.resolve()}, False
    while files:
        file = files.pop()
        text = _searched(file)
        if HASH.search(text):
            hashed = True
        elif LOOSE.search(text):
            return False
        for name in INCLUDED.findall(text):
            other = file.parent / os.fsdecode(name)
            known = len(seen) >= MOST_INCLUDED or not os.path.isfile(other)  # noqa: PTH113 - False for any nonsense
            if not known and other.resolve() not in seen:
                seen.add(other.resolve())
                files.append(other)
    return hashed


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
