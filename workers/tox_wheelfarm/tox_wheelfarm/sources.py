"""Folders and files of this disk that releases are installed from, and whether they are what they were.

Called by `settlement`, `changing` and the installer. Other people's caches go by a folder's pyproject.toml or by its
version; here every file counts. Nothing in a folder is run or changed, and what tools leave behind in it is no source.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tox_wheelfarm.digests import digest
from tox_wheelfarm.order import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tox_wheelfarm.locks.pin import Pin

MOST = 50_000
"""Files of one folder; one with more counts as changed each time."""

EDITABLE = "-e "
"""Begins the place of a folder that is installed in place: its sources are read where they are."""

DECLARATIONS = ("pyproject.toml", "setup.py", "setup.cfg")
BUILT = frozenset({"build", "dist"})
LEFT = ("__pycache__", "node_modules")


def place(pin: Pin) -> str:
    """The folder or file that a release is installed from, with EDITABLE before it; "" where it is of elsewhere."""
    reference = pin.reference.partition("#")[0]
    if reference.lower().startswith("file:"):
        reference = unquote(urlsplit(reference).path)
    if not reference or "://" in reference:
        return ""
    found = os.path.abspath(os.path.join(reference, pin.subdirectory))  # noqa: PTH100, PTH118 - links stay
    return f"{EDITABLE if pin.editable else ''}{found}"


def rebuilt(pins: Iterable[Pin]) -> tuple[str, ...]:
    """The names of those that are folders to build: what was built of them before says nothing of now."""
    return tuple(
        pin.name for pin in pins if not pin.editable and (where := place(pin)) and Path(where).is_dir()
    )


def looks(pins: Iterable[Pin]) -> dict[str, str]:
    """A print of the names, sizes and times of all files, by place."""
    return {where: _look(where) for where in map(place, pins) if where}


def listed(places: str) -> list[tuple[str, int, int]]:
    """The files of folders of wheels (as `UV_FIND_LINKS` has them), with their sizes and times."""
    folders = [
        unquote(urlsplit(each).path) if each.lower().startswith("file:") else each
        for each in places.split(",")
    ]
    return inside(folder for folder in folders if folder and "://" not in folder)


def inside(folders: Iterable[str]) -> list[tuple[str, int, int]]:
    """What is in these folders, in those that are there, with sizes and times."""
    found = []
    for folder in folders:
        if os.path.isdir(folder):  # noqa: PTH112 - a text, as above
            with os.scandir(folder) as there:
                paths = sorted(entry.path for entry in there)
            found += [(path, *_times(path)) for path in paths[:MOST]]
    return found


def unchanged(held: Mapping[str, str]) -> bool:
    """Whether all places look as they did."""
    return all(_look(where) == look for where, look in held.items())


def content(pin: Pin) -> str:
    """A print of the bytes of all files, whatever their times; "" where it is of elsewhere."""
    where = place(pin)
    if not where:
        return ""
    whole = hashlib.sha256()
    for name, path in _files(where):
        whole.update(f"{name}\0{digest(path)}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def _look(where: str) -> str:
    return fingerprint([(name, *_times(path)) for name, path in _files(where)])


def _times(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib is several times as slow, and there are many of them
    except OSError:
        return (-1, -1)
    return found.st_size, found.st_mtime_ns


def _files(where: str) -> list[tuple[str, str]]:
    """The files of a place by their names in it, sorted."""
    folder = where.removeprefix(EDITABLE)
    if where != folder:
        return [(name, f"{folder}/{name}") for name in DECLARATIONS]
    if not os.path.isdir(folder):  # noqa: PTH112 - a text is what is walked as well
        return [("", folder)]
    found: list[tuple[str, str]] = []
    for path in _walked(folder):
        found.append((path[len(folder) + 1 :], path))
        if len(found) > MOST:
            return [(str(time.time_ns()), "")]
    return sorted(found)


def _walked(folder: str) -> Iterator[str]:
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if _is_source(base, name, top=base == folder)]
        yield from (
            f"{base}/{name}" for name in files if not name.endswith(".pyc") and _is_regular(base, name)
        )


def _is_regular(base: str, name: str) -> bool:
    # A pipe or a socket would never end.
    return not name.startswith(".coverage") and os.path.isfile(f"{base}/{name}")  # noqa: PTH113 - as above


def _is_source(base: str, name: str, *, top: bool) -> bool:
    if name.startswith(".") or name in LEFT or name.endswith(".egg-info"):
        return False
    inside = f"{base}/{name}"
    if top and name in BUILT:
        # Of a backend, unless it is a package of that name.
        return os.path.exists(f"{inside}/__init__.py")  # noqa: PTH110 - as above
    return not os.path.exists(f"{inside}/pyvenv.cfg")  # noqa: PTH110 - as above
