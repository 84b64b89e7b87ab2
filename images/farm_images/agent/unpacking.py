"""The source archive, unpacked by the job's own user: whole and inside its folder, or not at all.

Called in `starter`. It never follows a path out of the folder, makes a device, or keeps a mode bit that a
source has no use for. (The tarfile filters of newer Pythons do the same; Debian 12's Python does not have
them.)
"""

import gzip
import posixpath
import shutil
import tarfile
import zlib
from pathlib import Path

MAX_MEMBERS = 200_000
MAX_BYTES = 4 << 30


class UnpackingError(Exception):
    """The archive is not one that a project's source can be."""


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a tar.gz into an emptied folder; its single top folder if there is one, else the folder.

    Raises:
        UnpackingError: what is wrong with the archive.
        OSError: no space, for example.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            if hasattr(tarfile, "fully_trusted_filter"):
                tar.extraction_filter = tarfile.fully_trusted_filter
            for count, member in enumerate(tar, 1):
                total += member.size
                if count > MAX_MEMBERS or total > MAX_BYTES:
                    raise UnpackingError(f"more than {MAX_MEMBERS} members or {MAX_BYTES >> 30} GiB")
                tar.extract(_checked(member), folder, numeric_owner=True)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError) as error:
        raise UnpackingError(f"not a whole tar.gz: {error}") from error
    tops = list(folder.iterdir())
    return tops[0] if len(tops) == 1 and tops[0].is_dir() and not tops[0].is_symlink() else folder


def _checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    name = member.name
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise UnpackingError(f"{name!r:.200} is neither a file, a folder nor a link")
    if not _stays_inside(name):
        raise UnpackingError(f"{name!r:.200} leaves the folder")
    if member.issym() and not _stays_inside(posixpath.join(posixpath.dirname(name), member.linkname)):
        raise UnpackingError(f"the link {name!r:.200} leaves the folder")
    if member.islnk() and not _stays_inside(member.linkname):
        raise UnpackingError(f"the link {name!r:.200} leaves the folder")
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    member.uid = member.gid = -1
    member.uname = member.gname = ""
    return member


def _stays_inside(path: str) -> bool:
    if posixpath.isabs(path):
        return False
    return posixpath.normpath(path).split("/", 1)[0] != ".."
