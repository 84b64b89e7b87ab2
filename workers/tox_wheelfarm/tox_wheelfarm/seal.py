"""The folders of an environment's packages, as they were when every file in them was known to be there.

Called by the installer, and kept in `state`. A file cannot go without its folder's time of change, so that files need
be looked at only where such a time is another. It never tells what is missing: `damage` does.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from tox_wheelfarm.installed import recorded_folders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

SECOND_NS = 1_000_000_000
TOP = "/*"
"""Ends the place of the files of a folder, one where a package begins; all files would take several times as long."""
TICK_NS = 12_000_000
"""A folder that changed so short a time ago may change again without another time: clocks of files are coarse."""


def taken(sites: Sequence[Path], infos: Iterable[Path]) -> dict[str, int]:
    """The time of change in ns of each folder by its path, and a sum over the files where packages begin.

    Empty where it is too early to tell, or one is gone.

    Args:
        sites: the folders of packages.
        infos: the `.dist-info` folders, whose RECORDs say which folders there are.
    """
    bases = {str(site) for site in sites if site.is_dir()}
    places = set(bases)
    try:
        for info in infos:
            base = str(info.parent)
            places.update(f"{base}/{folder}" for folder in recorded_folders(info))
        found = {place: _changed(place) for place in places}
        tops = {f"{place}{TOP}": _top(place) for place in places if _is_top(place, bases)}
    except OSError:
        return {}
    coarse = all(then % SECOND_NS == 0 for then in found.values())  # some file systems count seconds
    young = time.time_ns() - (2 * SECOND_NS if coarse else TICK_NS)
    return {} if max(found.values(), default=0) > young else {**found, **tops}


def holds(seal: Mapping[str, int]) -> bool:
    """Whether no folder has changed since; False for an empty seal."""
    try:
        return bool(seal) and all(_now(place) == then for place, then in seal.items())
    except OSError:
        return False


def _now(place: str) -> int:
    return _top(place[: -len(TOP)]) if place.endswith(TOP) else _changed(place)


def _top(place: str) -> int:
    """A sum over the files of a folder that changes when one of them is written in place."""
    total = 0
    with os.scandir(place) as entries:
        for entry in entries:
            if not entry.name.endswith(".pyc") and entry.is_file(follow_symlinks=False):
                told = entry.stat(follow_symlinks=False)
                total += told.st_mtime_ns + told.st_size
    return total


def _is_top(place: str, bases: Collection[str]) -> bool:
    return place in bases or (place.rpartition("/")[0] in bases and not place.endswith(".dist-info"))


def _changed(place: str) -> int:
    status = os.stat(place)  # noqa: PTH116 - pathlib is several times as slow, and there are a thousand of them
    # That one cannot be set from outside; on Windows it is the time of creation.
    return status.st_mtime_ns if sys.platform == "win32" else status.st_ctime_ns
