"""What the times in uv's own cache tell: whether it has heard of an index since, and of which project when.

Called by `settlement` and `yanked`. Only names and times of files are looked at; what uv has written into them is its
own affair, and nothing there is ever changed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from tox_wheelfarm import sources
from tox_wheelfarm.order import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping


def pages(variables: Mapping[str, str]) -> str:
    """A fingerprint that is another once uv has written any page of an index into its cache; "" where none is there.

    Args:
        variables: those that uv is run with.
    """
    # uv puts a page in place by renaming, which changes the time of the folder that it is in.
    with suppress(OSError):
        buckets = sorted(_buckets(variables))
        found = sources.inside(each for path in buckets for each in (path, f"{path}/index"))
        # Each release of uv reads one of the buckets.
        uv = Path(find_uv_bin()).stat()
        return fingerprint(found, uv.st_size, uv.st_mtime_ns) if found else ""
    return ""


def heard(variables: Mapping[str, str], name: str) -> int:
    """When uv has last written a page of a project (normalised name), in ns since the epoch; 0 where it has none.

    Args:
        variables: as for `pages`.
        name: of whatever index the page is.
    """
    with suppress(OSError):
        found = [
            path for bucket in _buckets(variables) for path in Path(bucket).glob(f"[pi]*/**/{name}.rkyv")
        ]
        return max((path.stat().st_mtime_ns for path in found), default=0)
    return 0


def _buckets(variables: Mapping[str, str]) -> list[str]:
    place = variables.get("UV_CACHE_DIR") or _usual(variables)
    if variables.get("UV_NO_CACHE") or not os.path.isabs(place):  # noqa: PTH117 - uv takes the text as it is
        return []
    with os.scandir(place) as there:
        return [entry.path for entry in there if entry.name.startswith("simple-v")]


def _usual(variables: Mapping[str, str]) -> str:
    if sys.platform == "win32":
        return ""
    home = variables.get("XDG_CACHE_HOME") or f"{variables.get('HOME', '')}/.cache"
    return f"{home}/uv"
