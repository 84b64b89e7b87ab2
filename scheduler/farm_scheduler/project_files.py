"""The files of a project, read out of its source archive without unpacking it.

Made by sources, used by planning and the readers of configuration. Reads are bounded and nothing reaches the
disk; links are not followed.
"""

import re
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from farm_scheduler.bounded_reads import BoundedGzip, TooMuchError
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
"""Files of requirements that are read at all."""

MAX_TEST_TEXT = 32 << 10
"""Bytes of a test file that are read: what it imports stands at its beginning."""

MAX_TEST_TEXTS = 200
"""Test files whose beginning is read, to tell one test runner from another."""

MAX_NAME = 4096
"""Characters of a path, as Linux has it (PATH_MAX)."""

MAX_PART = 255
"""Bytes of one part of a path, as the file systems of Linux have it (NAME_MAX)."""

MAX_NAMES = 64 << 20
"""Characters of all paths together: they are kept."""

WANTED = frozenset(
    {
        "tox.ini", "setup.cfg", "pyproject.toml", "tox.toml", "PKG-INFO", "setup.py", "noxfile.py", "hatch.toml",
        "pytest.ini", ".pytest.ini", "pytest.toml",
    }
)  # fmt: skip
"""The files of the top folder that planning may read; text files may be requirements and are read as well."""

_TEST = re.compile(r"(?:.*/)?(?:test[^/]*|[^/]*_tests?|conftest)\.py")


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
    reading = _Reading()
    try:
        with (
            BoundedGzip(path, MAX_UNPACKED) as stream,
            tarfile.open(fileobj=stream, mode="r:") as archive,
        ):
            for number, member in enumerate(archive):
                reading.take(number, member, archive)
                # Otherwise the list of all members stays in memory to the end.
                archive.members = []  # type: ignore[attr-defined]  # typeshed leaves it out; the manual names it
    except TooMuchError as error:
        sentence = f"the source archive is not used: {error}"
        raise SourceError(sentence, problem=str(error)) from error
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        sentence = f"the source archive is damaged ({error}); fetch or build it again"
        raise SourceError(sentence, problem=str(error)) from error
    if len(reading.tops) != 1:
        many = len(reading.tops)
        sentence = f"the source archive has {many} top folders where an sdist has one; build it again"
        raise SourceError(sentence, folders=sorted(reading.tops)[:10])
    reading.refuse_conflict()
    return ProjectFiles(texts=reading.texts, names=frozenset(reading.names))


class _Reading:
    """What was read of one archive so far."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.names: set[str] = set()
        self.tops: set[str] = set()
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._unpacked = self._named = 0
        self._read = {MAX_REQUIREMENTS: 0, MAX_TEST_TEXT: 0}

    def take(self, number: int, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        """One member: checked, named, and read if planning may want it."""
        self._unpacked += max(member.size, 0)
        _refuse_bomb(number, self._unpacked)
        parts = _safe_parts(member)
        if not parts:
            return
        self.tops.add(parts[0])
        below = "/".join(parts[1:])
        if below:
            kind = self._folders if member.isdir() else self.names
            kind.add(below)
            if member.isreg():
                self._files.add(below)
            self._named += len(below)
            _refuse_bomb(number, self._unpacked if self._named < MAX_NAMES else MAX_UNPACKED + 1)
        bound = self._bound(below) if member.isreg() else 0
        whole = member.size <= bound or bound == MAX_TEST_TEXT
        if bound and whole:
            self._read[bound] = self._read.get(bound, 0) + 1
            stream = archive.extractfile(member)
            self.texts[below] = "" if stream is None else stream.read(bound).decode("utf-8", "replace")

    def refuse_conflict(self) -> None:
        """Refuse what is a file and a folder at once: no machine could unpack it."""
        # With the lowest character for the slash, what is below a path follows it at once.
        paths = sorted(self.names, key=lambda path: path.replace("/", "\0"))
        both = self._files & self._folders
        below = (a for a, b in pairwise(paths) if a in self._files and b.startswith(f"{a}/"))
        found = next(below, None) or next(iter(both), None)
        if found is not None:
            sentence = f"the source archive has {found[:200]!r} as a file and as a folder; build it again"
            raise SourceError(sentence, member=found[:200])

    def _bound(self, below: str) -> int:
        """How many bytes of this file are read; 0 for none."""
        if below in WANTED:
            return MAX_TEXT
        if below.endswith(".txt") and self._read[MAX_REQUIREMENTS] < MAX_TEXTS:
            return MAX_REQUIREMENTS
        if _TEST.fullmatch(below) and self._read[MAX_TEST_TEXT] < MAX_TEST_TEXTS:
            return MAX_TEST_TEXT
        return 0


def _refuse_bomb(number: int, unpacked: int) -> None:
    if number >= MAX_MEMBERS or unpacked > MAX_UNPACKED:
        sentence = "the source archive unpacks to more than any project needs; it was not used"
        raise SourceError(sentence, members=number, bytes=unpacked)


def _safe_parts(member: tarfile.TarInfo) -> tuple[str, ...]:
    """The parts of a member's path; refuses what could leave the top folder or is no file, folder or link."""
    path = PurePosixPath(member.name)
    if len(member.name) > MAX_NAME:
        sentence = f"the source archive has a name of {len(member.name)} characters; it was not used"
        raise SourceError(sentence, characters=len(member.name))
    longest = max((len(part.encode("utf-8", "surrogateescape")) for part in path.parts), default=0)
    if longest > MAX_PART:
        sentence = (
            f"the source archive has a file name of {longest} bytes, and a file system takes {MAX_PART}"
        )
        raise SourceError(f"{sentence}; it was not used", bytes=longest)
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
