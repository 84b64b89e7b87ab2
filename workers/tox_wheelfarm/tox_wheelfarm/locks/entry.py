"""One table of a lock file or of pyproject.toml, read with care.

Every format reads through it, so that a wrong type, a strange name or an enormous file is one sentence with its place
in the file. It never runs, opens or resolves what an entry names.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tox_wheelfarm.decoding import decoded
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks.pin import PinnedFile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_BYTES = 64 * 1024 * 1024
"""The largest lock files of real projects have a few megabytes."""

MOST_ENTRIES = 50_000
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?")
FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!~-]{0,299}")
HASH = re.compile(r"([a-z0-9_]{1,20}):([0-9a-fA-F]{16,256})")
STRONG = frozenset({"sha256", "sha384", "sha512"})
"""What pip and uv take for `--hash`; an md5 of an old lock is as good as none."""


@dataclass(frozen=True)
class Entry:
    """A table, where it stands, and typed access to its keys.

    Attributes:
        file: the name of the file, for messages.
        where: the table's place in it, or "" for the whole.
        data: the table.
    """

    file: str
    where: str
    data: Mapping[str, Any]

    def wrong(self, why: str) -> LockFileError:
        """The error that says where and why, to be raised."""
        return LockFileError(f"{self.file}{', ' + self.where if self.where else ''}: {why}")

    def text(self, key: str, default: str = "") -> str:
        """A string without control characters; `default` where there is none."""
        found = self.data.get(key, default)
        if not isinstance(found, str):
            raise self.wrong(f"`{key}` is not a string")
        if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in found):
            raise self.wrong(f"`{key}` has control characters")
        return found

    def flag(self, key: str) -> bool:
        """A boolean; False where there is none."""
        found = self.data.get(key, False)
        if not isinstance(found, bool):
            raise self.wrong(f"`{key}` is neither true nor false")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; empty where there is none."""
        found = self.data.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.wrong(f"`{key}` is not a list of strings")
        return tuple(found)

    def table(self, *keys: str) -> Entry:
        """A table below it; an empty one where there is none."""
        found, where = self.data, self.where
        for key in keys:
            found = found.get(key, {})
            where = f"{where}.{key}" if where else key
            if not isinstance(found, dict):
                raise self.wrong(f"`{where}` is not a table")
        return Entry(self.file, where, found)

    def tables(self, key: str) -> Iterator[Entry]:
        """The tables of an array, each named in messages by its number and, where it has one, its name."""
        found = self.data.get(key, [])
        if not isinstance(found, list) or len(found) > MOST_ENTRIES:
            raise self.wrong(f"`{key}` is not an array of at most {MOST_ENTRIES} tables")
        for number, one in enumerate(found, 1):
            if not isinstance(one, dict):
                raise self.wrong(f"`{key}` {number} is not a table")
            named = one.get("name")
            called = f" ({named})" if isinstance(named, str) and NAME.fullmatch(named) else ""
            yield Entry(self.file, f"{key} {number}{called}", one)

    def name(self, key: str = "name") -> str:
        """A distribution's name, normalised (PEP 503)."""
        return normalised(self.text(key), self)

    def version(self, key: str = "version") -> str:
        """An exact version (PEP 440), or "" where there is none."""
        found = self.text(key)
        if not found:
            return ""
        try:
            return str(Version(found))
        except InvalidVersion:
            raise self.wrong(f"the version {found[:80]!r} is no version (PEP 440)") from None

    def files(self, key: str = "files") -> tuple[PinnedFile, ...]:
        """An array of `{file or url, hash}`, as poetry and pdm write it."""
        return tuple(_file(one) for one in self.tables(key))


def toml(file: str, data: bytes) -> Entry:
    """A TOML file, parsed.

    Raises:
        LockFileError: it is too large, no UTF-8 or no TOML; with the line.
    """
    _sized(file, data)
    try:
        return Entry(file, "", tomllib.loads(decoded(data, file, LockFileError)))
    except (tomllib.TOMLDecodeError, RecursionError) as wrong:
        raise LockFileError(f"{file} is not TOML: {wrong}") from None


def toml_file(path: Path) -> Entry:
    """A TOML file on this machine (the pyproject.toml or Pipfile beside a lock file), parsed.

    Raises:
        LockFileError: it cannot be read, or `toml` refuses it.
    """
    try:
        return toml(path.name, path.read_bytes())
    except OSError as wrong:
        raise LockFileError(f"{path} cannot be read: {wrong.strerror}") from None


def json_file(file: str, data: bytes) -> Entry:
    """A JSON file that holds an object, parsed.

    Raises:
        LockFileError: it is too large or no JSON object; with the line.
    """
    _sized(file, data)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        raise LockFileError(f"{file} is not JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise LockFileError(f"{file} is not a JSON object")
    return Entry(file, "", found)


def normalised(name: str, entry: Entry) -> str:
    """A name by PEP 503.

    Raises:
        LockFileError: it is no name of a distribution, an extra or a group.
    """
    if not NAME.fullmatch(name):
        raise entry.wrong(f"{name[:80]!r} is no name (PEP 508)")
    return str(canonicalize_name(name))


def strong(digest: str, entry: Entry) -> tuple[str, ...]:
    """`algorithm:hexdigest` as it stands, or nothing for an algorithm that installers do not take.

    Raises:
        LockFileError: it is no hash.
    """
    found = HASH.fullmatch(digest)
    if not found:
        raise entry.wrong(f"{digest[:80]!r} is no hash (algorithm:hexdigest)")
    return (f"{found[1]}:{found[2].lower()}",) if found[1] in STRONG else ()


def _file(one: Entry) -> PinnedFile:
    url = one.text("url")
    name = one.text("file") or unquote(PurePosixPath(urlsplit(url).path).name)
    if not FILE.fullmatch(name):
        raise one.wrong(f"{name[:80]!r} is no file name of a distribution")
    digest = one.text("hash")
    return PinnedFile(name, strong(digest, one) if digest else (), url)


def _sized(file: str, data: bytes) -> None:
    if len(data) > MOST_BYTES:
        raise LockFileError(f"{file} has {len(data)} bytes; more than {MOST_BYTES} are not read")
