"""What tox built of the project (or was given by --installpkg): its name, its needs, and a print of its content.

Made from the packages that tox hands over. The print leaves out times and paths, so that the same sources built again
are the same. Metadata is read, never run.
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import ExtraNotFoundError, InstallFailedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT = 64 * 2**20
"""Bytes of metadata (a RECORD with half a million files has fewer)."""


@dataclass(frozen=True)
class Artifact:
    """A built project.

    Attributes:
        name: normalised.
        path: a wheel, a source distribution, or (legacy editable) a folder.
        editable: whether a folder is installed in place.
        requires: what it needs with the extras that are asked for (PEP 508), without those on itself.
        extras: those that are asked for, normalised.
        content: a print of what is in it.
        settings: PEP 517 settings for building a source distribution.
    """

    name: str
    path: Path
    editable: bool
    requires: tuple[str, ...]
    extras: frozenset[str]
    content: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def reference(self) -> str:
        """As a requirement (PEP 508)."""
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        return f"{self.name}{extras} @ {self.path.absolute().as_uri()}"


def artifact(package: Any, extras: frozenset[str], markers: Mapping[str, str]) -> Artifact:
    """Read a package of tox's (`PythonPathPackageWithDeps`).

    Raises:
        ExtraNotFoundError: a wheel does not have an extra that is asked for.
        InstallFailedError: it is not a package that can be read.
    """
    path = Path(package.path)
    told = tuple(str(each) for each in getattr(package, "deps", ()))
    settings = tuple(sorted((getattr(package, "config_settings", None) or {}).items()))
    try:
        if path.is_dir():
            name = canonicalize_name(getattr(package, "name", "") or path.resolve().name)
            return Artifact(name, path, True, told, extras, _folder_print(path))
        if path.suffix == ".whl":
            return _wheel(path, extras, markers)
        return Artifact(_sdist_name(path), path, False, told, extras, _sdist_print(path), settings)
    except (OSError, ValueError, zipfile.BadZipFile, tarfile.TarError, InvalidRequirement) as wrong:
        raise InstallFailedError(f"{path} cannot be read as a package: {wrong}") from wrong


def _wheel(path: Path, extras: frozenset[str], markers: Mapping[str, str]) -> Artifact:
    with zipfile.ZipFile(path) as archive:
        inside = [name for name in archive.namelist() if name.count("/") == 1]
        metadata = _member(archive, inside, ".dist-info/METADATA")
        record = sorted(_member(archive, inside, ".dist-info/RECORD").splitlines())
    told = HeaderParser().parsestr(metadata)
    name = canonicalize_name(told["Name"] or path.name.partition("-")[0])
    known = {canonicalize_name(str(extra)) for extra in told.get_all("Provides-Extra", [])}
    if unknown := extras - known:
        have = ", ".join(sorted(known)) or "none"
        raise ExtraNotFoundError(f"{name} has no extra {', '.join(sorted(unknown))}; it has {have}")
    lines = [Requirement(str(line)) for line in told.get_all("Requires-Dist", [])]
    requires, wanted = _needs(name, lines, extras, markers)
    content = hashlib.sha256("\n".join(record).encode()).hexdigest()
    return Artifact(name, path, False, requires, wanted, content)


def _needs(
    name: str, lines: Iterable[Requirement], extras: frozenset[str], markers: Mapping[str, str]
) -> tuple[tuple[str, ...], frozenset[str]]:
    # An extra may ask for other extras of the project itself: until nothing more comes of it.
    lines = list(lines)
    wanted = set(extras)
    while True:
        chosen = [line for line in lines if _applies(line, wanted, markers)]
        own = [line for line in chosen if canonicalize_name(line.name) == name]
        more = {canonicalize_name(extra) for line in own for extra in line.extras} - wanted
        if not more:
            return tuple(_bare(line) for line in chosen if line not in own), frozenset(wanted)
        wanted |= more


def _applies(line: Requirement, extras: Iterable[str], markers: Mapping[str, str]) -> bool:
    return line.marker is None or any(
        line.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras)
    )


def _bare(line: Requirement) -> str:
    plain = Requirement(str(line))
    plain.marker = None
    return str(plain)


def _member(archive: zipfile.ZipFile, names: Iterable[str], ending: str) -> str:
    for name in names:
        if name.endswith(ending):
            if archive.getinfo(name).file_size > LIMIT:
                raise ValueError(f"{name} is larger than {LIMIT} bytes")
            return archive.read(name).decode("utf-8", errors="replace")
    raise ValueError(f"it has no {ending.lstrip('.')}")


def _sdist_name(path: Path) -> str:
    stem = path.name
    for ending in (".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tar.xz"):
        stem = stem.removesuffix(ending)
    # The version has no dash in a normalised file name (PEP 625), and old ones have it after the last dash.
    return canonicalize_name(stem.rpartition("-")[0] or stem)


def _sdist_print(path: Path) -> str:
    whole = hashlib.sha256()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda each: each.filename):
                whole.update(f"{info.filename} {info.CRC} {info.file_size}\n".encode())
        return whole.hexdigest()
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda each: each.name):
            held = archive.extractfile(member) if member.isfile() else None
            digest = hashlib.sha256(held.read()).hexdigest() if held else member.linkname
            whole.update(f"{member.name} {member.mode} {digest}\n".encode())
    return whole.hexdigest()


def _folder_print(path: Path) -> str:
    # What an installation in place depends on; the sources themselves are read where they are.
    whole = hashlib.sha256()
    for name in ("pyproject.toml", "setup.py", "setup.cfg"):
        file = path / name
        whole.update(name.encode() + (file.read_bytes() if file.is_file() else b""))
    return whole.hexdigest()
