"""The packages of a poetry.lock, and how poetry writes a requirement, in every generation of it.

Read by `poetry` (the lock file) and `poetry_project` (pyproject.toml has the same words). It never decides what is
selected.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from tox_wheelfarm.locks.condition import ALWAYS, Condition, marker, pythons
from tox_wheelfarm.locks.entry import Entry, normalised, strong
from tox_wheelfarm.locks.graph import Edge, Release
from tox_wheelfarm.locks.origin import INDEX, Origin, archive, folder, repository
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.locks.poetry_versions import ANY, Versions, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LISTED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
PLATFORM = re.compile(r"\s*(!=|==?)?\s*([A-Za-z0-9_]+)\s*")


def release(
    entry: Entry, root: Path, apart: Mapping[str, tuple[PinnedFile, ...]], *, grouped: bool
) -> Release:
    """One `[[package]]`.

    Args:
        entry: its table.
        root: the folder of the lock file.
        apart: the files by normalised name, of the generations that hold them apart (before 2.0).
        grouped: whether the lock says which groups each package is in (2.1).

    Raises:
        LockFileError: something in it is not what poetry writes.
    """
    name, version = entry.name(), entry.version()
    if not version:
        raise entry.wrong("it has no version")
    files = entry.files() or tuple(
        one for one in apart.get(name, ()) if len(apart[name]) < 2 or _of(one.name, version)
    )
    origin = _origin(entry.table("source"), root)
    pin = Pin(
        name, version, files, origin.reference, origin.editable or entry.flag("develop"), origin.subdirectory
    )
    condition = pythons(entry.text("python-versions"), entry)
    if not grouped:
        # Poetry 1.0 put the marker on the package, not on the requirements that lead to it.
        condition &= marker(entry.text("marker"), entry)
    edges = tuple(_edges(entry, root))
    return Release(pin, condition, edges, _groups(entry) if grouped else None)


def files_apart(table: Entry) -> dict[str, tuple[PinnedFile, ...]]:
    """`[metadata.files]` of the generations before 2.0: by normalised name, with the files of every version."""
    found: dict[str, tuple[PinnedFile, ...]] = {}
    for name in table.data:
        found[normalised(name, table)] = table.files(name)
    return found


def hashes_apart(table: Entry) -> dict[str, tuple[PinnedFile, ...]]:
    """`[metadata.hashes]` of the oldest generation: hashes of sha256 without file names."""
    found: dict[str, tuple[PinnedFile, ...]] = {}
    for name in table.data:
        digests = (strong(f"sha256:{digest}", table) for digest in table.texts(name))
        found[normalised(name, table)] = tuple(PinnedFile("", one) for one in digests)
    return found


def requirements(name: str, given: Any, entry: Entry, root: Path) -> Iterator[tuple[Edge, bool]]:
    """The requirements that poetry's words mean (a range, a table, or several of them), each with `optional`.

    Raises:
        LockFileError: they are not poetry's words.
    """
    for one in given if isinstance(given, list) else [given]:
        table = Entry(entry.file, f"{entry.where}.{name}", one if isinstance(one, dict) else {"version": one})
        extras = frozenset(normalised(extra, table) for extra in table.texts("extras"))
        reference = _reference(table, root)
        edge = Edge(
            normalised(name, table),
            ANY if reference else _range(table),
            _condition(table),
            extras,
            reference,
            entry.where,
            _rest(table),
        )
        yield edge, table.flag("optional")


def _range(table: Entry) -> Versions:
    try:
        return versions(table.text("version", "*"))
    except ValueError as wrong:
        raise table.wrong(str(wrong)) from None


def _condition(table: Entry) -> Condition:
    given = marker(table.text("markers"), table) & pythons(table.text("python"), table)
    return given & marker(_platforms(table), table)


def _platforms(table: Entry) -> str:
    """`platform = "linux || darwin"`, as a marker."""
    given = table.text("platform")
    if given in {"", "*"}:
        return ""
    found = []
    for part in re.split(r"\|\|?", given):
        one = PLATFORM.fullmatch(part)
        if not one:
            raise table.wrong(f"`platform` {given[:80]!r} is not understood")
        found.append(f'sys_platform {"!=" if one[1] == "!=" else "=="} "{one[2]}"')
    return " or ".join(found)


def _edges(entry: Entry, root: Path) -> Iterator[Edge]:
    table = entry.table("dependencies")
    offered = {
        canonicalize_name(extra): frozenset(
            canonicalize_name(found[1])
            for line in entry.table("extras").texts(extra)
            if (found := LISTED.match(line))
        )
        for extra in entry.table("extras").data
    }
    named = Entry(entry.file, entry.text("name"), {})
    for name, given in table.data.items():
        for edge, optional in requirements(name, given, named, root):
            wanted = sorted(extra for extra, names in offered.items() if edge.name in names)
            if not optional:
                yield edge
            elif wanted:
                asked = " or ".join(f'extra == "{extra}"' for extra in wanted)
                yield Edge(
                    edge.name,
                    edge.accepts,
                    edge.condition & marker(asked, entry),
                    edge.extras,
                    edge.reference,
                    edge.by,
                )


def _groups(entry: Entry) -> dict[str, Condition]:
    given = entry.data.get("markers", "")
    names = entry.texts("groups")
    if isinstance(given, str):
        return dict.fromkeys(
            (normalised(name, entry) for name in names), marker(entry.text("markers"), entry)
        )
    table = entry.table("markers")
    return {
        normalised(name, entry): marker(table.text(name), table) if name in table.data else ALWAYS
        for name in names
    }


def _reference(table: Entry, root: Path) -> str:
    """How the pin of a direct requirement begins; what its lock says of it is checked there."""
    if "git" in table.data:
        return f"git+{table.text('git')}"
    if "url" in table.data:
        return table.text("url")
    if "path" in table.data or "file" in table.data:
        return folder(table, table.text("path") or table.text("file"), root).reference
    return ""


def _rest(table: Entry) -> str:
    at = next((table.text(key) for key in ("rev", "tag", "branch") if table.text(key)), "")
    below = table.text("subdirectory")
    return (f"@{at}" if at and "git" in table.data else "") + (f"#subdirectory={below}" if below else "")


def _origin(source: Entry, root: Path) -> Origin:
    kind, url = source.text("type"), source.text("url")
    if kind in {"", "legacy", "pypi"}:
        return INDEX
    below = source.text("subdirectory")
    if kind == "git":
        return repository(
            source, url, source.text("resolved_reference") or source.text("reference"), below, root
        )
    if kind == "url":
        return archive(source, url, below)
    if kind in {"file", "directory"}:
        return folder(source, url, root, subdirectory=below)
    raise source.wrong(f"the source type {kind[:40]!r} is not known")


def _of(file: str, version: str) -> bool:
    """Whether a file name is of this version; one that tells none may be."""
    try:
        told = parse_wheel_filename(file)[1] if file.endswith(".whl") else parse_sdist_filename(file)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return True
    return told == Version(version)
