"""Other people's TOML and JSON, read with bounds.

Called by every format of lock file and by `project`. What is wrong is said with the file, the place and the expected
form; it never executes anything, and a value is never trusted to have the type it should have.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.specifiers import SpecifierSet

from tox_wheelfarm.decoding import decoded
from tox_wheelfarm.errors import LockFileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeVar

    Term = TypeVar("Term")

MOST_BYTES = 64 * 1024 * 1024
"""The largest lock files in use have a few MiB."""

MOST_ENTRIES = 100_000
"""Of one list: a lock of ten thousand releases is larger than any that was seen."""


def contents(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        LockFileError: it is not there, is no regular file, cannot be read, or has more than `MOST_BYTES`.
    """
    try:
        if not path.is_file():
            raise LockFileError(f"{path} is no file")
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as refused:
        raise LockFileError(f"{path} cannot be read: {refused.strerror or refused}") from refused
    if len(data) > MOST_BYTES:
        raise LockFileError(f"{path} has more than {MOST_BYTES >> 20} MiB, which no lock file needs")
    return data


def toml(path: Path, data: bytes) -> Table:
    """A TOML document.

    Raises:
        LockFileError: it is none; the message has the line.
    """
    try:
        return Table(path, "", tomllib.loads(decoded(data, str(path), LockFileError)))
    except (tomllib.TOMLDecodeError, RecursionError) as wrong:
        raise LockFileError(f"{path} is not TOML: {_why(wrong)}") from wrong


def json_object(path: Path, data: bytes) -> Table:
    """A JSON document whose top is an object.

    Raises:
        LockFileError: it is none; the message has the line.
    """
    try:
        document = json.loads(decoded(data, str(path), LockFileError))
    except (ValueError, RecursionError) as wrong:
        raise LockFileError(f"{path} is not JSON: {_why(wrong)}") from wrong
    if not isinstance(document, dict):
        raise LockFileError(f"{path} is not a JSON object")
    return Table(path, "", document)


def _why(wrong: Exception) -> str:
    return "nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)


@dataclass(frozen=True)
class Table:
    """A table of a document, with where it stands.

    Each getter gives a value of the type it is named for, or an empty one where the key is missing.

    Attributes:
        path: the document.
        where: the place in it, such as `package[3].source`; "" for the top.
        values: what stands there.
    """

    path: Path
    where: str
    values: Mapping[str, Any]

    def wrong(self, told: str, key: str = "") -> LockFileError:
        """The error that says what is wrong here."""
        place = ".".join(part for part in (self.where, key) if part)
        return LockFileError(f"{self.path}, {place}: {told}" if place else f"{self.path}: {told}")

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def string(self, key: str) -> str:
        """A string, or ""."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise self.wrong("must be a string", key)
        return value

    def needed(self, key: str) -> str:
        """A string that must be there.

        Raises:
            LockFileError: it is not, or is empty.
        """
        value = self.string(key)
        if not value:
            raise self.wrong("is missing", key)
        return value

    def flag(self, key: str) -> bool:
        """A boolean, or False."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong("must be true or false", key)
        return value

    def table(self, key: str) -> Table:
        """A table, or an empty one."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.wrong("must be a table", key)
        return Table(self.path, f"{self.where}.{key}" if self.where else key, value)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, or an empty one."""
        here = f"{self.where}.{key}" if self.where else key
        found = self._list(key)
        if not all(isinstance(value, dict) for value in found):
            raise self.wrong("must be a list of tables", key)
        return [Table(self.path, f"{here}[{position}]", value) for position, value in enumerate(found)]

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of strings, or an empty one."""
        found = self._list(key)
        if not all(isinstance(value, str) for value in found):
            raise self.wrong("must be a list of strings", key)
        return tuple(found)

    def marker(self, key: str) -> str:
        """A well-formed environment marker (PEP 508), as it is written; or ""."""
        return self._term(key, Marker)

    def specifier(self, key: str) -> str:
        """A well-formed version specifier (PEP 440), as it is written; or ""."""
        return self._term(key, SpecifierSet)

    def _term(self, key: str, kind: Callable[[str], Term]) -> str:
        value = self.string(key)
        try:
            if value:
                kind(value)
        except (ValueError, RecursionError) as wrong:
            raise self.wrong(f"{value[:80]!r} is no {kind.__name__}", key) from wrong
        return value

    def _list(self, key: str) -> list[Any]:
        value = self.values.get(key, [])
        if not isinstance(value, list) or len(value) > MOST_ENTRIES:
            raise self.wrong("must be a list", key)
        return value
