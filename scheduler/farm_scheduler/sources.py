"""The source of a run: fetched or packed once, stored under its checksum, and checked before any use.

Called by runs. The result is always a tar.gz with one top folder; it is never unpacked on this host.
"""

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import Version

from farm_scheduler.access_tables import ArchiveKind
from farm_scheduler.disk_room import FULL, check_room
from farm_scheduler.errors import IndexUnavailableError, SourceError, TargetError
from farm_scheduler.folder_archive import write_folder_archive
from farm_scheduler.git_access import check_access
from farm_scheduler.guest_text import clean_line
from farm_scheduler.part_files import part_file, part_folder
from farm_scheduler.project_files import ProjectFiles, read_archive
from farm_scheduler.project_metadata import read_metadata
from farm_scheduler.releases import Release, keep_release, read_release
from farm_scheduler.repository import Bounds, clone, look_up
from farm_scheduler.settings import Settings
from farm_scheduler.simple_index import SimpleIndex, SourceFile
from farm_scheduler.targets import (
    FolderTarget,
    ReleaseTarget,
    RepositoryTarget,
    SdistTarget,
    Target,
    WheelTarget,
)
from farm_scheduler.wheel_archive import read_wheel_name, write_wheel_archive
from farm_scheduler.zip_archive import zip_to_tar

PROJECT_MARKS = frozenset({"pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "tox.toml"})
"""A folder with none of these is no Python project."""

CHUNK = 1 << 20

LONGEST_NAME = 100
"""Characters of a name or a version that a project gives itself; it is only shown."""


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


def get_source(target: Target, settings: Settings) -> Source:
    """Fetch or pack what TARGET names.

    Raises:
        TargetError: unknown name, version or ref, or no sdist.
        SourceError: damaged, unsafe, too large, or no Python project.
        IndexUnavailableError: the index, or the git server, did not answer.
    """
    match target:
        case FolderTarget():
            return _from_folder(target.path, target.text, target.path.name, settings)
        case SdistTarget():
            return _from_sdist(target, settings)
        case WheelTarget():
            return _from_wheel(target, settings)
        case RepositoryTarget():
            return _from_repository(target, settings)
        case ReleaseTarget():
            return _from_index(target, settings)


def find_commit(target: RepositoryTarget, settings: Settings) -> str:
    """The commit that a repository's branch or tag names now.

    Raises:
        TargetError: the URL may not be asked, or there is no such repository, branch or tag.
        IndexUnavailableError: the git server did not answer.
    """
    options = check_access(target.url, settings)
    with part_folder(settings.sources) as folder:
        return look_up(target, folder, _bounds(settings), options)


def get_uploaded(path: Path, kind: ArchiveKind, name: str, settings: Settings) -> Source:
    """Check a file that somebody sent, under the name that it has there, and store it as a source.

    Raises:
        SourceError: damaged, unsafe, or no Python project.
        TargetError: its name is not that of a wheel.
    """
    match kind:
        case ArchiveKind.FOLDER:
            return _from_archive(path, name, settings, name.rpartition("/")[2] or "project")
        case ArchiveKind.SDIST:
            return _from_archive(path, name, settings, *_sdist_name(name), also={"PKG-INFO"})
        case ArchiveKind.WHEEL:
            return _from_wheel(WheelTarget(text=name, path=path), settings, name)


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
    kept = read_release(target, settings)
    # The newest release is asked for each time: one that came a moment ago is what a person means.
    if kept is None or target.version is None or not kept.is_fresh(settings.index_fresh_seconds):
        index = SimpleIndex(settings.index_url, settings.index_seconds)
        kept = _ask_index(index, target, settings, kept)
        keep_release(target, settings, kept)
    path = source_path(settings, kept.archive)
    return Source(
        path=path,
        sha256=kept.archive,
        bytes=path.stat().st_size,
        project=target.name,
        version=kept.version,
        files=read_archive(path),
        notes=() if kept.yanked is None else (_yanked(kept),),
    )


def _ask_index(
    index: SimpleIndex, target: ReleaseTarget, settings: Settings, kept: Release | None
) -> Release:
    """The release as the index has it now; its file is fetched unless `kept` is of the same."""
    listing = index.sdists(target.name, kept.etag if kept else None)
    if listing is None and kept is not None:
        return kept.asked_now()
    if listing is None:
        sentence = f"the package index {settings.index_url} answered 304 unasked; check WHEELFARM_INDEX_URL"
        raise IndexUnavailableError(sentence, url=settings.index_url)
    file = choose_sdist(listing.files, target)
    same = kept is not None and None is not file.sha256 == kept.file_sha256 and file.name == kept.file
    return Release(
        index=settings.index_url,
        file=file.name,
        file_sha256=file.sha256,
        version=str(file.version),
        yanked=file.yanked,
        archive=kept.archive if kept is not None and same else _fetch(index, file, settings),
        etag=listing.etag,
        asked=time.time(),
        fresh_seconds=listing.fresh_seconds,
    )


def _fetch(index: SimpleIndex, file: SourceFile, settings: Settings) -> str:
    """Fetch an sdist, check it and store it; the checksum of the source archive that it became."""
    with _part(settings) as part:
        with part.open("wb") as stream:
            index.fetch(file, stream, settings.source_bytes)
        if file.name.endswith(".zip"):
            zip_to_tar(part)
        read_archive(part)
        _, sha256 = _store(part, settings)
    return sha256


def _yanked(release: Release) -> str:
    return f"{release.file} was yanked from the index" + (f": {release.yanked}" if release.yanked else "")


def _from_sdist(target: SdistTarget, settings: Settings) -> Source:
    named, version = _sdist_name(target.path.name)
    return _from_archive(target.path, target.text, settings, named, version, also={"PKG-INFO"})


def _from_archive(
    archive: Path,
    text: str,
    settings: Settings,
    named: str,
    version: str | None = None,
    *,
    also: Collection[str] = (),
) -> Source:
    """A file with one top folder; `named` and `version` if it does not say them, `also` what else marks a project."""
    with _part(settings) as part:
        _copy(archive, part, text, settings.source_bytes)
        if text.lower().endswith(".zip"):
            zip_to_tar(part)
        files = read_archive(part)
        _refuse_no_project(files.names, text, also)
        metadata = read_metadata(files)
        path, sha256 = _store(part, settings)
    return _source(path, sha256, files, metadata.name or named, metadata.version or version)


def _from_wheel(target: WheelTarget, settings: Settings, name: str | None = None) -> Source:
    wheel = read_wheel_name(name or target.path.name)
    with _part(settings) as copy, _part(settings) as part:
        _copy(target.path, copy, target.text, settings.source_bytes)
        write_wheel_archive(copy, wheel.file, part)
        files = read_archive(part)
        path, sha256 = _store(part, settings)
    return _source(path, sha256, files, wheel.name, wheel.version)


def _from_repository(target: RepositoryTarget, settings: Settings) -> Source:
    options = check_access(target.url, settings)
    with part_folder(settings.sources) as folder:
        commit = clone(target, folder, _bounds(settings), options)
        source = _from_folder(folder, target.text, target.name, settings)
    return replace(source, notes=(f"{target.url} was taken at commit {commit}",))


def _bounds(settings: Settings) -> Bounds:
    return Bounds(seconds=settings.git_seconds, bytes=2 * settings.source_bytes)


def _from_folder(folder: Path, text: str, name: str, settings: Settings) -> Source:
    _refuse_no_project({mark for mark in PROJECT_MARKS if (folder / mark).is_file()}, text)
    with _part(settings) as part:
        with part.open("wb") as stream:
            write_folder_archive(folder, stream, settings.source_bytes)
        files = read_archive(part)
        metadata = read_metadata(files)
        path, sha256 = _store(part, settings)
    return _source(path, sha256, files, metadata.name or name, metadata.version)


def _source(path: Path, sha256: str, files: ProjectFiles, project: str, version: str | None) -> Source:
    size = path.stat().st_size
    return Source(
        path=path,
        sha256=sha256,
        bytes=size,
        project=clean_line(project)[:LONGEST_NAME],
        version=clean_line(version)[:LONGEST_NAME] if version else None,
        files=files,
    )


def _refuse_no_project(names: Collection[str], text: str, also: Collection[str] = ()) -> None:
    if not PROJECT_MARKS.union(also).intersection(names):
        marks = ", ".join(sorted(PROJECT_MARKS))
        sentence = f"{text} is no Python project: it has none of {marks}; give the project's folder or sdist"
        raise SourceError(sentence, target=text)


def _sdist_name(file: str) -> tuple[str, str | None]:
    try:
        name, version = parse_sdist_filename(
            file.removesuffix(".tgz") + ".tar.gz" if file.endswith(".tgz") else file
        )
    except InvalidSdistFilename:
        return file.partition(".")[0], None
    return name, str(version)


def _copy(path: Path, part: Path, text: str, limit: int) -> None:
    """Copy a person's file: what is checked and what is used are then the same bytes."""
    try:
        with path.open("rb") as old, part.open("wb") as new:
            left = limit
            while chunk := old.read(min(CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    sentence = (
                        f"{text} is larger than {limit} bytes; raise WHEELFARM_SOURCE_BYTES to allow it"
                    )
                    raise SourceError(sentence, target=text, limit=limit)
                new.write(chunk)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise SourceError(
            f"{text} cannot be read ({error.strerror}); make it readable", target=text
        ) from error


@contextmanager
def _part(settings: Settings) -> Iterator[Path]:
    """A file for what is not whole yet. Raises NoRoomError on a full disk."""
    try:
        with part_file(settings.sources) as path:
            yield path
    except OSError as error:
        check_room(error, settings.sources)
        raise


def _store(part: Path, settings: Settings) -> tuple[Path, str]:
    with part.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    path = source_path(settings, sha256)
    part.rename(path)
    return path, sha256
