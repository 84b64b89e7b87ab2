"""A wheel as the source of a run: a tar.gz with one folder that holds the wheel and what it says of itself.

Called by sources, which stores it, and by planning, which knows such a source again by its files. The wheel is
unpacked in a machine only, never here.
"""

import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from farm_scheduler.errors import SourceError
from farm_scheduler.folder_archive import FILE_TIME
from farm_scheduler.project_files import MAX_TEXT, ProjectFiles
from farm_scheduler.zip_archive import compressed, open_zip

TOP = "wheel"
"""The one top folder of the archive."""

METADATA = "PKG-INFO"
"""The name that the wheel's METADATA has there: that of an sdist, so that one reader reads both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """What a wheel's file name says."""

    file: str
    name: str
    version: str
    tags: frozenset[Tag]


def read_wheel_name(file: str) -> Wheel:
    """The parts of a wheel's file name (PEP 427).

    Raises:
        SourceError: it is no such name.
    """
    try:
        name, version, _, tags = parse_wheel_filename(file)
    except InvalidWheelFilename as error:
        sentence = f"{file} is no name of a wheel; give it the name that its builder gave it"
        raise SourceError(sentence, file=file) from error
    return Wheel(file=file, name=name, version=str(version), tags=tags)


def wheel_of(files: ProjectFiles) -> Wheel | None:
    """The wheel that this source is; None for a project's source."""
    others = files.names - {METADATA}
    if len(others) != 1 or METADATA not in files.names:
        return None
    (only,) = others
    return read_wheel_name(only) if only.endswith(".whl") and "/" not in only else None


def write_wheel_archive(path: Path, name: str, into: Path) -> None:
    """Write the source archive of the wheel at `path`, which is called `name`.

    Raises:
        SourceError: damaged, unsafe, without metadata, or larger than allowed when unpacked.
    """
    read_wheel_name(name)
    metadata = _metadata(path)
    with compressed(into) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        folder = tarfile.TarInfo(TOP)
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o755, FILE_TIME
        archive.addfile(folder)
        archive.addfile(_entry(METADATA, len(metadata)), BytesIO(metadata))
        with path.open("rb") as content:
            archive.addfile(_entry(name, path.stat().st_size), content)


def _metadata(path: Path) -> bytes:
    with open_zip(path, "wheel") as archive:
        names = [
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        ]
        if len(names) != 1:
            sentence = "the wheel has no METADATA, or more than one; build it again"
            raise SourceError(sentence, found=names[:10])
        with archive.open(names[0]) as stream:
            return stream.read(MAX_TEXT)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"{TOP}/{name}")
    entry.size, entry.mode, entry.mtime = size, 0o644, FILE_TIME
    return entry
