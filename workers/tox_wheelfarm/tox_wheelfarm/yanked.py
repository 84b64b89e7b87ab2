"""Which releases of a set are withdrawn (yanked, PEP 592), from the last index data that is at hand.

Called by `resolution` and the installer. uv says it of what it resolves and installs, from its own cache and so without
the network as well (`told`); an index is asked only by `asked`. It never decides whether such a release is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tox_wheelfarm import uv_cache
from tox_wheelfarm.errors import InstallFailedError
from tox_wheelfarm.kept import keep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tox_wheelfarm.index_page import IndexFile
    from tox_wheelfarm.locks.pin import Pin

WARNING = (
    r"(?m)^warning: `(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^`\s]+)` is yanked"
    r'(?: \(reason: "(?P<reason>.*)"\))?'
)
"""How uv warns; its answer's `said` holds these."""

LONGEST_REASON = 1000
MOST_BYTES = 64 << 20
"""Of one page of an index; the longest of PyPI are about a third of it."""

KEPT = "index-"
"""How the names of files begin that hold the last data of a project."""

AT_ONCE = 8
PYPI = "https://pypi.org/simple"


def told(pins: Iterable[Pin], said: str) -> tuple[Pin, ...]:
    """The pins, those marked that uv warned of in what it said (on stderr)."""
    if "is yanked" not in said:
        return tuple(pins)
    reasons: dict[tuple[str, str], str] = {
        (canonicalize_name(found["name"]), found["version"]): (found["reason"] or "")[:LONGEST_REASON]
        for found in re.finditer(WARNING, said)
    }
    return tuple(
        replace(pin, yanked=reasons[pin.name, pin.version]) if (pin.name, pin.version) in reasons else pin
        for pin in pins
    )


def asked(pins: Sequence[Pin], indexes: Sequence[str], cache: Path) -> tuple[Pin, ...]:
    """The pins, those marked whose files are all withdrawn, and those unmarked that are withdrawn no longer.

    Each index is asked, with the ETag of its last answer; where one does not answer, that last answer counts.

    Args:
        pins: direct references and what no index knows come back as they are.
        indexes: simple indexes (PEP 503, 691); for each project the first that has it counts.
        cache: a folder of ours, for the last answer for each project.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return tuple(pool.map(lambda pin: _marked(pin, indexes, lambda url: _asked(url, cache)), pins))


def kept(
    pins: Sequence[Pin], indexes: Sequence[str], cache: Path, variables: Mapping[str, str]
) -> tuple[Pin, ...]:
    """The pins, those marked that were withdrawn when an index was last asked by `asked`; nobody is asked.

    Args:
        pins: those that uv has marked stay so, and of what it has heard later than that it has the word.
        indexes: as in `asked`.
        cache: as in `asked`.
        variables: those that uv is run with.
    """
    with suppress(OSError):  # Then nothing is kept, as in a folder that is not there.
        if any(cache.glob(f"{KEPT}*.json")):
            return tuple(_last_of(pin, indexes, cache, variables) for pin in pins)
    return tuple(pins)


def indexes(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The simple indexes that uv uses with these variables, in its order."""
    more = f"{variables.get('UV_INDEX', '')} {variables.get('UV_EXTRA_INDEX_URL', '')}".split()
    default = variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL") or PYPI
    return tuple(re.sub(r"^[\w.-]+=(?=https?:)", "", url) for url in (*more, default))


def _last_of(pin: Pin, indexes: Sequence[str], cache: Path, variables: Mapping[str, str]) -> Pin:
    heard = uv_cache.heard(variables, pin.name) if pin.yanked is None else 0

    def last(url: str) -> _Page | None:
        path = _file(url, cache)
        with suppress(OSError):
            return _last(path) if path.stat().st_mtime_ns > heard else None
        return None

    return _marked(pin, indexes, last) if pin.yanked is None else pin


def _marked(pin: Pin, indexes: Sequence[str], page_of: Callable[[str], _Page | None]) -> Pin:
    if pin.reference:
        return pin
    for index in indexes:
        page = page_of(f"{index.rstrip('/')}/{pin.name}/")
        files = [file for file in page.files if _is_of(file, pin)] if page else []
        if files:
            withdrawn = [file.yanked for file in files if file.yanked is not None]
            return replace(pin, yanked=withdrawn[0] if len(withdrawn) == len(files) else None)
    return pin


def _is_of(file: IndexFile, pin: Pin) -> bool:
    if pin.hashes and file.sha256:
        return f"sha256:{file.sha256}" in pin.hashes
    return any(file.name == each.name for each in pin.files) if pin.files else file.version == pin.version


@dataclass(frozen=True)
class _Page:
    """The last data of a project: the server's ETag and the files."""

    etag: str
    files: tuple[IndexFile, ...]


def _file(url: str, cache: Path) -> Path:
    return cache / f"{KEPT}{hashlib.sha256(url.encode()).hexdigest()}.json"


def _asked(url: str, cache: Path) -> _Page | None:
    path = _file(url, cache)
    last = _last(path)
    if not url.startswith(("http://", "https://")):
        return last
    from tox_wheelfarm.download import DownloadError, fetch
    from tox_wheelfarm.index_page import ACCEPT, read_page

    try:
        document = fetch(url, most=MOST_BYTES, etag=last.etag if last else "", accept=ACCEPT)
        if not document.changed:
            with suppress(OSError):
                os.utime(path)  # it is the answer of now
            return last
        page = _Page(document.etag, read_page(document))
    except (DownloadError, ValueError):
        return last  # the last data, or none: an index that does not answer withdraws nothing
    files = [[file.name, file.sha256, file.yanked] for file in page.files]
    with suppress(InstallFailedError):  # A cache that cannot be written only costs time.
        keep(path, json.dumps({"etag": page.etag, "files": files}).encode())
    return page


def _last(path: Path) -> _Page | None:
    try:
        kept = json.loads(path.read_bytes())
        from tox_wheelfarm.index_page import IndexFile

        return _Page(kept["etag"], tuple(IndexFile(*file) for file in kept["files"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
