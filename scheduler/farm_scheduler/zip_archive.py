"""Zip files of projects: checked before anything is read of them, and rewritten as tar.gz where they are sdists.

Called by sources. Nothing of them reaches the disk under a name of theirs, and links are refused.
"""

import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from farm_scheduler.errors import SourceError
from farm_scheduler.project_files import MAX_MEMBERS, MAX_NAME, MAX_UNPACKED

DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, ValueError, OSError, KeyError,
)  # fmt: skip
"""What `zipfile` raises for a file that somebody broke, by accident or on purpose."""


@contextmanager
def open_zip(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    """A zip file whose members are safe: they stay inside, are files or folders, and unpack to what is allowed.

    Raises:
        SourceError: they are not, or the file is damaged; also when that shows only inside the block.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bomb(archive.infolist(), what)
            for member in archive.infolist():
                _refuse_unsafe(member, what)
            yield archive
    except DAMAGE as error:
        raise SourceError(f"the {what} is damaged ({error}); build it again", problem=str(error)) from error


def zip_to_tar(path: Path) -> None:
    """Rewrite a zip sdist as tar.gz in place: everything behind reads one format only.

    Raises:
        SourceError: damaged, unsafe, or larger than allowed when unpacked.
    """
    converted = path.with_name(path.name + ".tar")
    try:
        with (
            open_zip(path, "zip sdist") as old,
            compressed(converted) as stream,
            tarfile.open(fileobj=stream, mode="w") as new,
        ):
            for member in old.infolist():
                _copy_member(old, member, new)
        shutil.move(converted, path)
    finally:
        converted.unlink(missing_ok=True)


@contextmanager
def compressed(path: Path) -> Iterator[BinaryIO]:
    """A gzip stream that writes a file; same content, same bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 3, raw, mtime=0) as stream:
        yield stream  # type: ignore[misc]  # typeshed: GzipFile is no BinaryIO; it writes as one


def _refuse_bomb(members: list[zipfile.ZipInfo], what: str) -> None:
    unpacked = sum(each.file_size for each in members)
    if len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED:
        sentence = f"the {what} unpacks to more than any project needs; it was not used"
        raise SourceError(sentence, members=len(members), bytes=unpacked)


def _refuse_unsafe(member: zipfile.ZipInfo, what: str) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or len(member.filename) > MAX_NAME:
        shown = member.filename[:200]
        sentence = f"the {what} has a member that leaves its folder ({shown!r}); it was not used"
        raise SourceError(sentence, member=shown)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        sentence = f"the {what} holds a link or device ({member.filename!r}); it was not used"
        raise SourceError(sentence, member=member.filename)


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
