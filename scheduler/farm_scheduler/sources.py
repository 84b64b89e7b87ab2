"""The source of a run: fetched or packed once, stored under its checksum, and checked before any use.

Called by runs. The result is always a tar.gz with one top folder; it is never unpacked on this host.
"""

import gzip
import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO

from packaging.version import Version

from farm_scheduler.errors import SourceError, TargetError
from farm_scheduler.folder_archive import write_folder_archive
from farm_scheduler.project_files import MAX_MEMBERS, MAX_UNPACKED, ProjectFiles, read_archive
from farm_scheduler.project_metadata import read_metadata
from farm_scheduler.settings import Settings
from farm_scheduler.simple_index import SimpleIndex, SourceFile
from farm_scheduler.targets import FolderTarget, ReleaseTarget

PROJECT_MARKS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "tox.toml"})
"""A folder with none of these is no Python project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stored source archive.

    Attributes:
        sha256: of the archive, and its name in the store.
        bytes: its size.
        notes: what a person should know: a yanked release.
    """

    path: Path
    sha256: str
    bytes: int
    project: str
    version: str | None
    files: ProjectFiles
    notes: tuple[str, ...] = ()


def get_source(target: ReleaseTarget | FolderTarget, settings: Settings) -> Source:
    """Fetch or pack what TARGET names.

    Raises:
        TargetError: unknown name or version, or no sdist.
        SourceError: damaged, unsafe, too large, or no Python project.
        IndexUnavailableError: the index did not answer.
    """
    if isinstance(target, FolderTarget):
        return _from_folder(target, settings)
    return _from_index(target, settings)


def source_path(settings: Settings, sha256: str) -> Path:
    """Where the source archive with this checksum is stored."""
    return settings.sources / f"{sha256}.tar.gz"


def choose_sdist(files: Sequence[SourceFile], target: ReleaseTarget) -> SourceFile:
    """The sdist that TARGET means: the named version, else the newest neither yanked nor a pre-release.

    Raises:
        TargetError: the project has no sdist, or not of that version; near ones are named.
    """
    if not files:
        sentence = (
            f"{target.name} has no sdist on the index, and wheelfarm tests sources; give its folder instead"
        )
        raise TargetError(sentence, project=target.name)
    if target.version is not None:
        found = [file for file in files if file.version == target.version]
        if not found:
            raise _unknown_version(target, target.version, files)
        return min(found, key=lambda file: not file.name.endswith(".tar.gz"))
    fresh = [file for file in files if file.yanked is None] or list(files)
    final = [file for file in fresh if not file.version.is_prerelease] or fresh
    return max(final, key=lambda file: (file.version, file.name.endswith(".tar.gz")))


def _unknown_version(target: ReleaseTarget, wanted: Version, files: Sequence[SourceFile]) -> TargetError:
    versions = sorted({file.version for file in files})
    texts = [str(version) for version in versions]
    near = get_close_matches(str(wanted), texts, n=3, cutoff=0.5)
    shown = list(dict.fromkeys([*near, texts[-1]]))
    sentence = f"{target.name} has no sdist of version {wanted}; there is {', '.join(shown)}"
    return TargetError(sentence, project=target.name, version=str(wanted), near=shown)


def _from_index(target: ReleaseTarget, settings: Settings) -> Source:
    index = SimpleIndex(settings.index_url, settings.index_seconds)
    try:
        file = choose_sdist(index.sdists(target.name), target)
        with _part(settings) as part:
            with part.open("wb") as stream:
                index.fetch(file, stream, settings.source_bytes)
            if file.name.endswith(".zip"):
                _zip_to_tar(part, settings.source_bytes)
            files = read_archive(part)
            path, sha256 = _store(part, settings)
    finally:
        index.close()
    notes = () if file.yanked is None else (_yanked(file),)
    return Source(
        path=path,
        sha256=sha256,
        bytes=path.stat().st_size,
        project=target.name,
        version=str(file.version),
        files=files,
        notes=notes,
    )


def _yanked(file: SourceFile) -> str:
    return f"{file.name} was yanked from the index" + (f": {file.yanked}" if file.yanked else "")


def _from_folder(target: FolderTarget, settings: Settings) -> Source:
    if not any((target.path / mark).is_file() for mark in PROJECT_MARKS):
        marks = ", ".join(sorted(PROJECT_MARKS))
        sentence = f"{target.text} is no Python project: it has none of {marks}; give the project's folder"
        raise SourceError(sentence, folder=str(target.path))
    with _part(settings) as part:
        with part.open("wb") as stream:
            write_folder_archive(target.path, stream, settings.source_bytes)
        files = read_archive(part)
        path, sha256 = _store(part, settings)
    metadata = read_metadata(files)
    return Source(
        path=path,
        sha256=sha256,
        bytes=path.stat().st_size,
        project=metadata.name or target.path.name,
        version=metadata.version,
        files=files,
    )


@contextmanager
def _part(settings: Settings) -> Iterator[Path]:
    """A file for what is not whole yet; gone afterwards, whatever happened."""
    settings.sources.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=settings.sources, prefix=".part-", delete=False) as stream:
        path = Path(stream.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _store(part: Path, settings: Settings) -> tuple[Path, str]:
    with part.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    path = source_path(settings, sha256)
    part.rename(path)
    return path, sha256


def _zip_to_tar(path: Path, limit: int) -> None:
    """Rewrite a zip sdist as tar.gz in place: everything behind reads one format only.

    Raises:
        SourceError: damaged, or larger than allowed when unpacked.
    """
    converted = path.with_name(path.name + ".tar")
    try:
        with zipfile.ZipFile(path) as old, _compressed(converted) as stream:
            members = old.infolist()
            if len(members) > MAX_MEMBERS or sum(each.file_size for each in members) > min(
                MAX_UNPACKED, 8 * limit
            ):
                raise SourceError("the zip sdist unpacks to more than is allowed; it was not used")
            with tarfile.open(fileobj=stream, mode="w") as new:
                for member in members:
                    _copy_member(old, member, new)
        shutil.move(converted, path)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise SourceError(f"the zip sdist is damaged ({error}); report it to the project") from error
    finally:
        converted.unlink(missing_ok=True)


@contextmanager
def _compressed(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 3, raw, mtime=0) as stream:
        yield stream  # type: ignore[misc]  # typeshed: GzipFile is no BinaryIO; it writes as one


def _copy_member(old: zipfile.ZipFile, member: zipfile.ZipInfo, new: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo(member.filename.rstrip("/"))
    if member.is_dir():
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        new.addfile(entry)
        return
    entry.size = member.file_size
    entry.mode = 0o755 if (member.external_attr >> 16) & 0o100 else 0o644
    stream: BinaryIO
    with old.open(member) as stream:  # type: ignore[assignment]  # typeshed: IO[bytes], which reads just as well
        new.addfile(entry, stream)
