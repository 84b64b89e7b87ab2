"""The files of a project, read out of its source archive without unpacking it.

Made by sources, used by planning and the readers of configuration. Reads are bounded and nothing reaches the
disk; links are not followed.
"""

import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from farm_scheduler.errors import SourceError

MAX_MEMBERS = 200_000
"""Files and folders that a source archive may hold."""

MAX_UNPACKED = 4 << 30
"""Bytes that a source archive may unpack to: a bomb is refused here, before it reaches a machine."""

MAX_TEXT = 1 << 20
"""Bytes of a configuration file; more is no configuration."""

MAX_REQUIREMENTS = 64 << 10
"""Bytes of a file of requirements."""

MAX_TEXTS = 500
"""Files that are read at all."""

WANTED = frozenset(
    {"tox.ini", "setup.cfg", "pyproject.toml", "tox.toml", "PKG-INFO", "setup.py", "noxfile.py"}
)
"""The files of the top folder that planning may read; text files may be requirements and are read as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFiles:
    """What the plan reads of a project: texts of a few files, and the names of all.

    Attributes:
        texts: the content by path below the project root.
        names: every path below the project root.
    """

    texts: Mapping[str, str]
    names: frozenset[str] = frozenset()

    def text(self, path: str) -> str | None:
        """The text of a file, or None when it is not there."""
        return self.texts.get(path)


def read_archive(path: Path) -> ProjectFiles:
    """Read a source archive (tar.gz with one top folder) and check that it is safe to hand on.

    Raises:
        SourceError: damaged, more than one top folder, members that leave it, devices, or a bomb.
    """
    texts: dict[str, str] = {}
    names: set[str] = set()
    tops: set[str] = set()
    unpacked = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for number, member in enumerate(archive):
                unpacked += max(member.size, 0)
                _refuse_bomb(number, unpacked)
                parts = _safe_parts(member)
                if not parts:
                    continue
                tops.add(parts[0])
                below = "/".join(parts[1:])
                if below and not member.isdir():
                    names.add(below)
                if member.isreg() and _is_wanted(below) and member.size <= _bound(below, len(texts)):
                    texts[below] = _text(archive, member)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        sentence = f"the source archive is damaged ({error}); fetch or build it again"
        raise SourceError(sentence, problem=str(error)) from error
    if len(tops) != 1:
        sentence = f"the source archive has {len(tops)} top folders where an sdist has one; build it again"
        raise SourceError(sentence, folders=sorted(tops)[:10])
    return ProjectFiles(texts=texts, names=frozenset(names))


def _is_wanted(below: str) -> bool:
    return below in WANTED or below.endswith(".txt")


def _bound(below: str, read: int) -> int:
    """How large this file may be to be read; -1 when enough was read."""
    if below in WANTED:
        return MAX_TEXT
    return MAX_REQUIREMENTS if read < MAX_TEXTS else -1


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = archive.extractfile(member)
    return "" if stream is None else stream.read(MAX_TEXT).decode("utf-8", "replace")


def _refuse_bomb(number: int, unpacked: int) -> None:
    if number >= MAX_MEMBERS or unpacked > MAX_UNPACKED:
        sentence = "the source archive unpacks to more than any project needs; it was not used"
        raise SourceError(sentence, members=number, bytes=unpacked)


def _safe_parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    """The parts of a member's path; refuses what could leave the top folder or is no file, folder or link."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        sentence = (
            f"the source archive has a member that leaves its folder ({member.name!r}); it was not used"
        )
        raise SourceError(sentence, member=member.name)
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        sentence = f"the source archive holds a device or pipe ({member.name!r}); it was not used"
        raise SourceError(sentence, member=member.name)
    if member.issym() or member.islnk():
        _refuse_escape(member, path)
    return path.parts


def _refuse_escape(member: tarfile.TarInfo, path: PurePosixPath) -> None:
    target = PurePosixPath(member.linkname)
    depth = len(path.parent.parts) if member.issym() else 0
    for part in target.parts:
        depth += -1 if part == ".." else 0 if part == "." else 1
        if depth < 1 and part == "..":
            break
    else:
        if not target.is_absolute():
            return
    sentence = f"the source archive has a link that leaves its folder ({member.name!r} → {member.linkname!r})"
    raise SourceError(sentence + "; it was not used", member=member.name)
