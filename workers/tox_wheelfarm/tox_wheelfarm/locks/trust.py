"""What another's lock file may say: names, hashes, URLs, folders.

Called by the formats before anything reaches an installer's command line or requirements file. It never touches the
network or the disk; what it refuses could smuggle in an option, a program or a file from elsewhere.
"""

from __future__ import annotations

import os.path
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tox_wheelfarm.errors import LockFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,254}[A-Za-z0-9])?")
HASH = re.compile(r"([a-z0-9_]{2,20})[:=]([0-9a-fA-F]{32,128})")
LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128, "sha3_256": 64, "sha3_512": 128, "blake2b": 128}
WEAK = frozenset({"md5", "sha1", "sha224"})
"""They prove nothing: whoever changes the file can make another of the same hash (pip and uv refuse most of them)."""
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!%~=-]{0,300}")
WEB = frozenset({"http", "https", "file"})
REPOSITORY = frozenset({"http", "https", "ssh", "git", "file"})
"""How a repository is reached; git's own `ext::` would run a program."""


class DistrustError(LockFileError):
    """Something in a lock file that is not taken; `at` adds where it stands."""


@contextmanager
def at(where: object) -> Iterator[None]:
    """Say where something that is not taken stands.

    Raises:
        LockFileError: in place of the DistrustError that is raised inside, with the place before its message.
    """
    try:
        yield
    except DistrustError as wrong:
        raise LockFileError(f"{where}: {wrong}") from wrong


def name(told: str) -> str:
    """A name, normalised (PEP 503).

    Raises:
        DistrustError: it is none (PEP 508).
    """
    if not NAME.fullmatch(told):
        raise DistrustError(f"{told[:80]!r} is no name of a package")
    return canonicalize_name(told)


def version(told: str) -> str:
    """An exact version (PEP 440), as it is written.

    Raises:
        DistrustError: it is none.
    """
    try:
        Version(told)
    except InvalidVersion as wrong:
        raise DistrustError(f"{told[:80]!r} is no version") from wrong
    return told


def hashes(told: Iterable[str]) -> tuple[str, ...]:
    """Hashes as `algorithm:hexdigest` in lower case; weak ones are left out.

    Raises:
        DistrustError: one of them is no hash.
    """
    found = []
    for text in told:
        match = HASH.fullmatch(text)
        algorithm = match[1].lower() if match else ""
        if not match or len(match[2]) != LENGTHS.get(algorithm, len(match[2])):
            raise DistrustError(f"{text[:120]!r} is no hash such as sha256:… with 64 hexadecimal digits")
        if algorithm not in WEAK:
            found.append(f"{algorithm}:{match[2].lower()}")
    return tuple(dict.fromkeys(found))


def file_name(told: str) -> str:
    """The file name at the end of a URL or path, without any folder.

    Raises:
        DistrustError: there is none, or it is no plain name.
    """
    last = unquote(parts(told).path if "://" in told else told).replace("\\", "/").rpartition("/")[2]
    if not FILE_NAME.fullmatch(last):
        raise DistrustError(f"{told[:120]!r} does not end in the name of a file")
    return last


def parts(told: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        DistrustError: it is none.
    """
    try:
        return urlsplit(told)
    except ValueError as wrong:
        raise DistrustError(f"{told[:120]!r} is no URL") from wrong


def url(told: str, schemes: frozenset[str] = WEB) -> str:
    """A URL that can stand in a requirements file.

    Raises:
        DistrustError: it has spaces, control characters or another scheme.
    """
    scheme = parts(told).scheme
    if scheme not in schemes or not told.isprintable() or re.search(r"[\s\"'<>\\`]", told):
        raise DistrustError(f"{told[:120]!r} is no URL that is taken: {', '.join(sorted(schemes))} are")
    return told


def repository(kind: str, told: str, commit: str) -> str:
    """A direct reference to a commit of a repository: `git+https://…@commit`.

    Raises:
        DistrustError: another kind than git or hg, a URL that is not taken, or no whole commit.
    """
    if kind not in {"git", "hg"}:
        raise DistrustError(f"a {kind[:20]!r} repository ({told[:120]}) cannot be installed from")
    if not COMMIT.fullmatch(commit):
        raise DistrustError(f"{told[:120]}: {commit[:80]!r} is no whole commit")
    return f"{kind}+{url(told, REPOSITORY)}@{commit}"


def folder(root: Path, told: str) -> str:
    """A folder or file below or beside the lock file's folder, made absolute.

    Raises:
        DistrustError: it cannot stand in a requirements file.
    """
    if not told.isprintable() or told.startswith("-"):
        raise DistrustError(f"{told[:120]!r} is no path that is taken")
    # Not resolved: a link stays what the project wrote; only `..` is folded.
    return os.path.normpath(root.absolute() / told)


def subdirectory(told: str) -> str:
    """A folder inside a repository or archive.

    Raises:
        DistrustError: it leads out of it.
    """
    if (
        ".." in told.replace("\\", "/").split("/")
        or told.startswith(("/", "-"))
        or not told.isprintable()
        or re.search(r"[\s#&]", told)
    ):
        raise DistrustError(f"{told[:120]!r} is no folder inside a repository or archive")
    return told
