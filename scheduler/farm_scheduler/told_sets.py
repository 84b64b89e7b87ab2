"""What an attempt says was installed, read out of tox's result file: text from a hostile machine.

Called by tox_report. Every part is typed and bounded, and what does not fit is left out: names and hashes may be shown
and compared, and are never believed. Nothing of a lock file is parsed here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

MOST_PACKAGES = 2000
"""Packages of one environment that are kept."""

MOST_PYLOCK = 1 << 20
"""Characters of a pylock.toml that is kept."""

MOST_CONSTRAINTS = 20

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_FROZEN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:===?| @ )(\S.*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OWN = "wheelfarm"
"""The key of tox-wheelfarm in the result of an environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPackage:
    """A release in an environment; `name` is normalised (PEP 503), what nobody told is None.

    Attributes:
        file: the file that it was installed from.
        url: where that was.
        hash: `algorithm:hexdigest` of it.
    """

    name: str
    version: str
    file: str | None = None
    url: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldSet:
    """What one environment had once it was made.

    Attributes:
        installer: by tox-wheelfarm's own word; `project` where it was not there.
        lock: `path`, `sha256` and `format` of the lock file, or None.
        constraints: `source` and `sha256` of each.
        packages: by name.
        yanked: withdrawn releases among them, as `name==version`.
        pylock: the text of a pylock.toml of the set, or None.
    """

    installer: str = "project"
    lock: Mapping[str, str] | None = None
    constraints: tuple[Mapping[str, str], ...] = ()
    packages: tuple[ToldPackage, ...] = ()
    yanked: tuple[str, ...] = ()
    pylock: str | None = None


def read_set(table: Mapping[str, Any]) -> ToldSet | None:
    """The set in the result of one environment; None where it says nothing of one."""
    own = table.get(_OWN)
    own = own if isinstance(own, Mapping) else {}
    packages = {each.name: each for each in _frozen(table.get("installed_packages"))}
    packages |= {each.name: each for each in _files(own.get("files"))}
    if not packages and not own:
        return None
    pylock, lock = own.get("set"), own.get("lock")
    constraints = _tables(own.get("constraints"), MOST_CONSTRAINTS)
    yanked = (_release(each) for each in _items(own.get("yanked"), MOST_PACKAGES))
    return ToldSet(
        installer=_text(own.get("installer"), 32) or "project",
        lock=_texts(lock, "path", "sha256", "format") if isinstance(lock, Mapping) else None,
        constraints=tuple(_texts(each, "source", "sha256") for each in constraints),
        packages=tuple(packages[name] for name in sorted(packages)[:MOST_PACKAGES]),
        yanked=tuple(filter(None, yanked)),
        pylock=pylock
        if isinstance(pylock, str) and len(pylock) <= MOST_PYLOCK and "\0" not in pylock
        else None,
    )


def _frozen(said: object) -> Iterable[ToldPackage]:
    """The lines of `installed_packages`: `name==version`, or `name @ URL` of what came from no index."""
    for line in _items(said, MOST_PACKAGES):
        found = _FROZEN.fullmatch(line) if isinstance(line, str) and len(line) <= 1000 else None
        package = _package(found[1], _version(found[2])) if found else None
        if package is not None:
            yield package


def _version(said: str) -> str:
    """What follows a name; of a URL the version in the file's name, so that a project built twice is the same."""
    if "://" not in said:
        return said
    try:
        name = unquote(urlsplit(said).path.rpartition("/")[2])
        parsed = parse_wheel_filename(name) if name.endswith(".whl") else parse_sdist_filename(name)
    except ValueError:  # no URL, or no file of a release
        return said
    return str(parsed[1])


def _files(said: object) -> Iterable[ToldPackage]:
    for entry in _tables(said, MOST_PACKAGES):
        package = _package(
            entry.get("name"),
            entry.get("version"),
            file=_text(entry.get("file"), 300),
            url=_text(entry.get("url"), 1000),
            hash=_text(entry.get("hash"), 200),
        )
        if package is not None:
            yield package


def _package(name: object, version: object, **more: str | None) -> ToldPackage | None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    return ToldPackage(name=canonicalize_name(name), version=_text(version, 1000) or "?", **more)


def _release(told: object) -> str | None:
    """`name==version` of a table with both."""
    package = _package(told.get("name"), told.get("version")) if isinstance(told, Mapping) else None
    return None if package is None else f"{package.name}=={package.version}"


def _items(said: object, most: int) -> Iterable[Any]:
    return islice(said, most) if isinstance(said, list) else ()


def _tables(said: object, most: int) -> Iterable[Mapping[str, Any]]:
    return (each for each in _items(said, most) if isinstance(each, Mapping))


def _texts(table: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: text for name in names if (text := _text(table.get(name), 1000)) is not None}


def _text(value: object, most: int) -> str | None:
    """A text that a database and a terminal can take, or None."""
    if not isinstance(value, str) or not value or len(value) > most or _CONTROL.search(value):
        return None
    return value.encode("utf-8", "replace").decode()
