"""What is installed in a folder of packages, read without starting an interpreter.

Called by the installer, `conflicts` and the record. It reads metadata only: nothing of a package is imported, and a
file of metadata that is larger than the limit counts as damaged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIMIT = 8 * 2**20
"""Bytes of one file of metadata."""

HEAD = 16 * 2**10
"""Bytes in which the headers of most metadata end."""

WANTED = ("name", "version", "requires-dist", "provides-extra")

HASHES = {"sha256", "sha384", "sha512"}
"""Algorithms that a RECORD may use: SHA-256 or better, says the specification of recording installed projects."""

FOLDER = re.compile(r'^(?!")(?:([^,\n]*)/)?[^,/\n]+,', re.MULTILINE)
"""What stands before the last slash of the path that begins a line of a RECORD."""

KEPT = "/tox-wheelfarm/wheels/"
"""In the path of a file that `pip` (for Python 2.7) installs from."""


class Installed(NamedTuple):
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
    """The version and the metadata folder of everything installed, by normalised name.

    File names tell; only for what setuptools installed in place its metadata is read.

    Raises:
        DamagedError: one name is there twice.
    """
    found: dict[str, tuple[str, Path]] = {}
    for folder in dict.fromkeys(folders):
        for entry in _entries(folder):
            stem, _, kind = entry.name.rpartition(".")
            if kind not in {"dist-info", "egg-info", "egg-link"}:
                continue
            written, _, version = stem.partition("-")
            version = version.split("-py")[0] if kind == "egg-info" else version
            name, info = canonicalize_name(written), folder / entry.name
            if kind == "egg-link":
                name = canonicalize_name(stem)  # nothing but the name
                version, info = _linked(name, info)
            if name in found:
                raise DamagedError(f"{name} is installed twice ({found[name][1].name} and {entry.name})")
            found[name] = (version, info)
    return found


def _linked(name: str, link: Path) -> tuple[str, Path]:
    """Version and metadata of what setuptools installed in place, as pip does for Python 2.7."""
    try:
        place = Path(_text(str(link)).splitlines()[0])
        for info in sorted(place.glob("*.egg-info")):
            if canonicalize_name(info.stem.partition("-")[0]) == name:
                return _read(info).version, info
    except (OSError, IndexError) as wrong:
        raise DamagedError(f"{link.name} cannot be read: {wrong}") from wrong
    raise DamagedError(f"{link.name} leads to {place}, where no {name} is")


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


def damaged_file(folder: Path, base: Path, others: Sequence[Path] = ()) -> str:
    """The first file of a distribution that is not as its RECORD says, in a few words; "" if it is whole.

    Sizes are compared; where one differs the hash decides, because some wheels tell a wrong size. A file may also be as
    another distribution has it: some ship the same one (`backports/__init__.py`), and the last that was installed wins.

    Args:
        folder: a `.dist-info`; anything else is not looked into.
        base: where the paths of its RECORD begin.
        others: the `.dist-info` of everything that is installed.
    """
    try:
        lines = _recorded(folder)
    except OSError:
        return f"{folder.name}/RECORD is gone"
    place = str(base)
    for path, digest, size in lines:
        try:
            found = os.lstat(f"{place}/{path}")
        except OSError:
            return f"{path} is gone"
        if (
            size
            and str(found.st_size) != size
            and stat.S_ISREG(found.st_mode)
            and _differs(f"{place}/{path}", digest)
            and not any(_shipped(path, base, other) for other in others)
        ):
            return f"{path} has {found.st_size} bytes where {size} were installed"
    return ""


def _shipped(path: str, base: Path, folder: Path) -> bool:
    """Whether a file is as this distribution has it."""
    if folder.parent != base:
        return False
    with suppress(OSError):
        return any(
            named == path and digest and not _differs(f"{base}/{path}", digest)
            for named, digest, _ in _recorded(folder)
        )
    return False


def recorded_folders(folder: Path) -> set[str]:
    """The folders of the files that a distribution's RECORD names, relative to the folder that it is in.

    What is compiled comes and goes, and is left out; so is a quoted path, with a comma in it: they are rare.

    Args:
        folder: a `.dist-info`; anything else has no such files.

    Raises:
        OSError: its RECORD cannot be read.
    """
    if folder.suffix != ".dist-info":
        return set()
    return {found for found in FOLDER.findall(_text(f"{folder}/RECORD")) if "__pycache__" not in found}


def _recorded(folder: Path) -> list[tuple[str, str, str]]:
    """Path, hash and size of each file, as written."""
    if folder.suffix != ".dist-info":
        return []
    parts = [line.partition(",") for line in _text(f"{folder}/RECORD").splitlines()]
    return [
        (path, *_split(rest))
        for path, _, rest in parts
        if path and path[0] != '"' and not path.endswith(".pyc") and "__pycache__" not in path
    ]


def _split(rest: str) -> tuple[str, str]:
    digest, _, size = rest.partition(",")
    return digest, size.strip()


def _differs(path: str, digest: str) -> bool:
    """Whether a file is another than its hash says; a file without one (RECORD itself) is not judged."""
    algorithm, _, told = digest.partition("=")
    if algorithm not in HASHES:
        return False
    try:
        found = hashlib.new(algorithm, Path(path).read_bytes()).digest()
    except OSError:
        return True
    return base64.urlsafe_b64encode(found).rstrip(b"=").decode() != told.rstrip("=")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _read(folder: Path) -> Installed:
    place = str(folder)
    for path in (f"{place}/METADATA", f"{place}/PKG-INFO", place):
        if os.path.isfile(path):  # noqa: PTH113 - pathlib is several times as slow, and there are many of them
            break
    else:
        raise DamagedError(f"{folder.name} has no metadata")
    try:
        told = _headers(path)
        url, editable = _origin(place)
    except (OSError, ValueError) as wrong:
        raise DamagedError(f"the metadata of {folder.name} cannot be read: {wrong}") from wrong
    if not told["name"] or not told["version"]:
        raise DamagedError(f"the metadata of {folder.name} has no name or no version")
    return Installed(
        name=told["name"][0].strip(),
        version=told["version"][0].strip(),
        folder=folder,
        requires=tuple(told["requires-dist"]),
        extras=frozenset(canonicalize_name(extra) for extra in told["provides-extra"]),
        url=url,
        editable=editable,
    )


def _headers(path: str) -> dict[str, list[str]]:
    """The values of the headers that are wanted; the description, most of the file, is not looked at."""
    found: dict[str, list[str]] = {name: [] for name in WANTED}
    last: list[str] | None = None
    for line in _head(path).split("\n"):
        if line[:1] in {" ", "\t"}:
            if last:
                last[-1] += f"\n{line}"
            continue
        name, colon, value = line.partition(":")
        if not colon:
            break
        last = found.get(name.lower())
        if last is not None:
            last.append(value.strip())
    return found


def _head(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        _bounded(file.fileno(), path)
        head = file.read(HEAD)
        if b"\n\n" not in head:
            head = (head + file.read()).replace(b"\r\n", b"\n")
    return head.partition(b"\n\n")[0].decode("utf-8", errors="replace")


def _origin(folder: str) -> tuple[str, bool]:
    try:
        text = _text(f"{folder}/direct_url.json")
    except (FileNotFoundError, NotADirectoryError):
        return "", False
    told = json.loads(text)
    if not isinstance(told, dict) or not isinstance(told.get("url"), str):
        raise ValueError("direct_url.json is not as PEP 610 says")  # noqa: TRY004 - bad data, not a bad call
    url, vcs, below = told["url"], told.get("vcs_info"), told.get("subdirectory")
    if isinstance(vcs, dict):
        url = f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}"
    return f"{url}#subdirectory={below}" if below else url, bool((told.get("dir_info") or {}).get("editable"))


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as above
        _bounded(file.fileno(), path)
        return file.read()


def _bounded(descriptor: int, path: str) -> None:
    if os.fstat(descriptor).st_size > LIMIT:
        raise OSError(f"{os.path.basename(path)} is larger than {LIMIT} bytes")  # noqa: PTH119 - as above
