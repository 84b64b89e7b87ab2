"""The packages of a pdm.lock.

Read by `pdm`. An entry with `extras` is the same release seen with those extras; it is joined to its release here. It
never decides what is selected.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tox_wheelfarm.locks.condition import Condition, marker, pythons
from tox_wheelfarm.locks.contents import MAIN
from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.graph import Edge, Release, by_name
from tox_wheelfarm.locks.origin import INDEX, Origin, archive, folder, repository
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.locks.poetry_project import requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ROOT = "${PROJECT_ROOT}"


def releases(
    entries: Iterable[Entry], root: Path, apart: Mapping[str, tuple[PinnedFile, ...]], *, grouped: bool
) -> dict[str, tuple[Release, ...]]:
    """All `[[package]]` by name, entries with extras joined to their releases.

    Args:
        entries: the tables.
        root: the folder of the lock file.
        apart: the files by `name version`, of the generations that hold them apart.
        grouped: whether groups and markers are told (`inherit_metadata`).

    Raises:
        LockFileError: something in them is not what pdm writes.
    """
    found: dict[tuple[str, str, str, str], Release] = {}
    for entry in entries:
        one = _release(entry, root, apart, grouped=grouped)
        # The same version can be there once per environment, with other markers.
        told = "" if not entry.texts("extras") else str(sorted(entry.texts("extras")))
        at = (one.pin.name, one.pin.version, one.pin.reference, entry.text("marker"))
        there = found.get(at)
        found[at] = _joined(there, one) if there and (told or there.edges != one.edges) else there or one
    return by_name(found.values())


def _release(
    entry: Entry, root: Path, apart: Mapping[str, tuple[PinnedFile, ...]], *, grouped: bool
) -> Release:
    name, version = entry.name(), entry.version()
    origin = _origin(entry, root)
    if not version and not origin.reference:
        raise entry.wrong("it has neither a version nor a place it comes from")
    files = entry.files() or apart.get(f"{name} {version}", ())
    pin = Pin(name, version, files, origin.reference, origin.editable, origin.subdirectory)
    condition = pythons(entry.text("requires_python"), entry)
    edges = tuple(_edges(entry, name))
    if not grouped:
        return Release(pin, condition, edges)
    told = marker(entry.text("marker"), entry)
    return Release(
        pin, condition, edges, dict.fromkeys((group(one, entry) for one in entry.texts("groups")), told)
    )


def group(name: str, entry: Entry) -> str:
    """A group's name; pdm calls the project's own requirements `default`."""
    return MAIN if name == "default" else normalised(name, entry)


def _edges(entry: Entry, name: str) -> Iterable[Edge]:
    here = Entry(entry.file, name, {})
    asked = " and ".join(f'extra == "{normalised(extra, entry)}"' for extra in entry.texts("extras"))
    condition = marker(asked, entry)
    for line in entry.texts("dependencies"):
        edge = requirement(line, here)
        # An entry with extras also requires the release itself.
        if edge.name != name:
            yield replace(edge, condition=edge.condition & condition)


def _joined(one: Release, other: Release) -> Release:
    groups: dict[str, Condition] | None = None
    if one.groups is not None and other.groups is not None:
        groups = {**one.groups, **other.groups}
    edges = tuple(dict.fromkeys(one.edges + other.edges))
    files = one.pin.files or other.pin.files
    return replace(one, pin=replace(one.pin, files=files), edges=edges, groups=groups)


def _origin(entry: Entry, root: Path) -> Origin:
    below = entry.text("subdirectory")
    if "git" in entry.data:
        return repository(entry, entry.text("git"), entry.text("revision"), below, root)
    for other in ("hg", "svn", "bzr"):
        if other in entry.data:
            raise entry.wrong(
                f"it comes from a repository of {other}, which is not installed from: only git is"
            )
    if "path" in entry.data:
        return folder(entry, entry.text("path"), root, editable=entry.flag("editable"), subdirectory=below)
    url = entry.text("url")
    if url.startswith((f"file:///{ROOT}", f"file://{ROOT}")):
        rest = unquote(urlsplit(url.split(ROOT, 1)[1]).path)
        return folder(entry, f".{rest}", root, editable=entry.flag("editable"), subdirectory=below)
    return archive(entry, url, below) if url else INDEX
