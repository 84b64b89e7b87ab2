"""What is installed in a folder of packages, read without starting an interpreter.

Called by the installer, `conflicts` and the record. It reads metadata only: nothing of a package is imported, and a
file of metadata that is larger than the limit counts as damaged.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import InstallerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

LIMIT = 8 * 2**20
"""Bytes of one file of metadata."""

KEPT = "/tox-wheelfarm/wheels/files/"
"""In the path of a file that `pip` (for Python 2.7) installs from."""


class DamagedError(InstallerError):
    """Something of an environment's packages is missing or cannot be read; it has to be rebuilt."""


@dataclass(frozen=True)
class Installed:
    """A distribution that is installed.

    Attributes:
        name: as it writes itself.
        version: as it writes itself.
        folder: its `.dist-info` (or `.egg-info`, a folder or a file).
        requires: requirements (PEP 508), as written.
        extras: those it provides, normalised.
        url: where it was installed from directly, or "" for an index.
        editable: whether it is installed in place.
    """

    name: str
    version: str
    folder: Path
    requires: tuple[str, ...] = ()
    extras: frozenset[str] = frozenset()
    url: str = ""
    editable: bool = False

    @property
    def line(self) -> str:
        """As `pip freeze` has it; a file that was fetched from an index into our own cache is of that index."""
        if KEPT in self.url:
            return f"{self.name}=={self.version}"
        if self.editable:
            return f"-e {self.url}"
        return f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"


def names(folders: Iterable[Path]) -> dict[str, tuple[str, Path]]:
    """The version and the metadata folder of everything installed, by normalised name; from file names only.

    Raises:
        DamagedError: one name is there twice.
    """
    found: dict[str, tuple[str, Path]] = {}
    for folder in dict.fromkeys(folders):
        for entry in _entries(folder):
            stem, _, kind = entry.name.rpartition(".")
            if kind not in {"dist-info", "egg-info"}:
                continue
            written, _, version = stem.partition("-")
            version = version.split("-py")[0] if kind == "egg-info" else version
            name = canonicalize_name(written)
            if name in found:
                raise DamagedError(f"{name} is installed twice ({found[name][1].name} and {entry.name})")
            found[name] = (version, folder / entry.name)
    return found


def read(folders: Sequence[Path]) -> dict[str, Installed]:
    """Everything installed, with its metadata, by normalised name.

    Raises:
        DamagedError: metadata is missing, or cannot be read, or one name is there twice.
    """
    return {name: _read(path) for name, (_, path) in names(folders).items()}


def seen(folders: Iterable[Path]) -> dict[str, Installed]:
    """What an interpreter's own folders have: the first of each name, without what cannot be read.

    They are other people's (a distribution's, an administrator's), so nothing in them is called damaged.
    """
    found: dict[str, Installed] = {}
    for folder in folders:
        for entry in _entries(folder):
            if entry.name.endswith((".dist-info", ".egg-info")):
                with suppress(DamagedError):
                    dist = _read(folder / entry.name)
                    found.setdefault(canonicalize_name(dist.name), dist)
    return found


def missing_files(folder: Path, base: Path) -> str:
    """The first file that a distribution's RECORD names and that is not there, or "" if it is whole.

    Args:
        folder: a `.dist-info`; anything else is not looked into.
        base: where the paths of its RECORD begin.
    """
    record = folder / "RECORD"
    if folder.suffix != ".dist-info":
        return ""
    try:
        lines = _text(record).splitlines()
    except OSError:
        return f"{folder.name}/RECORD"
    place = str(base)
    for line in lines:
        # What is compiled comes and goes. A quoted path has a comma in it: rare enough to let it be.
        path = line.partition(",")[0]
        if not path or path.startswith('"') or path.endswith(".pyc") or "__pycache__" in path:
            continue
        if not os.path.lexists(f"{place}/{path}"):
            return path
    return ""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _read(folder: Path) -> Installed:
    for name in ("METADATA", "PKG-INFO", ""):
        path = folder / name if name else folder
        if path.is_file():
            break
    else:
        raise DamagedError(f"{folder.name} has no metadata")
    try:
        told = HeaderParser().parsestr(_text(path))
        url, editable = _origin(folder)
    except (OSError, ValueError) as wrong:
        raise DamagedError(f"the metadata of {folder.name} cannot be read: {wrong}") from wrong
    if not told["Name"] or not told["Version"]:
        raise DamagedError(f"the metadata of {folder.name} has no name or no version")
    return Installed(
        name=str(told["Name"]).strip(),
        version=str(told["Version"]).strip(),
        folder=folder,
        requires=tuple(str(line) for line in told.get_all("Requires-Dist", [])),
        extras=frozenset(canonicalize_name(str(extra)) for extra in told.get_all("Provides-Extra", [])),
        url=url,
        editable=editable,
    )


def _origin(folder: Path) -> tuple[str, bool]:
    path = folder / "direct_url.json"
    if not folder.is_dir() or not path.is_file():
        return "", False
    told = json.loads(_text(path))
    if not isinstance(told, dict) or not isinstance(told.get("url"), str):
        raise ValueError("direct_url.json is not as PEP 610 says")  # noqa: TRY004 - bad data, not a bad call
    return told["url"], bool((told.get("dir_info") or {}).get("editable"))


def _text(path: Path) -> str:
    if path.stat().st_size > LIMIT:
        raise OSError(f"{path.name} is larger than {LIMIT} bytes")
    return path.read_text("utf-8", errors="replace")
