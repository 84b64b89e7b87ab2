"""What a uv.lock was made from, held against pyproject.toml.

Called by `UvLock.differences`. uv writes the requirements of each member into its lock in a form of its own (merged
extras, simplified markers), so they are compared by what they mean; it never runs uv.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tox_wheelfarm.locks import staleness, trust, uv_settings
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.staleness import Asked
from tox_wheelfarm.locks.uv_packages import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tox_wheelfarm.locks.document import Table
    from tox_wheelfarm.locks.uv_packages import Entry

DIRECT = ("git", "url", "path", *LOCAL)
"""Sources other than an index."""

BOUNDS = (
    ("constraints", "constraint-dependencies"),
    ("overrides", "override-dependencies"),
    ("build-constraints", "build-constraint-dependencies"),
)
"""Lists of requirements that bind everything: in the lock's manifest, and in `[tool.uv]`."""


def differences(
    path: Path, lock: Table, own: Entry | None, others: list[Entry], project: Project
) -> Iterator[str]:
    """What of a project its lock was not made for, one sentence each.

    Args:
        path: of the lock.
        lock: all of it.
        own: the project's entry; None where the workspace's root is no package.
        others: folders that the project needs.
        project: what is there now.
    """
    root = project if project.root == path.parent else Project.read(path.parent)
    yield from _pythons(path, lock, project)
    yield from _overall(path, lock, root)
    if own and project.name:
        yield from _Comparison(path, lock, own, project, root).all()
    for entry in sorted(others, key=lambda other: other.name):
        there = Project.read(Path(trust.folder(path.parent, entry.folder)))
        if there.name:
            found = _Comparison(path, lock, entry, there, root).all()
            yield from (f"{entry.folder}: {told}" for told in found)


def _pythons(path: Path, lock: Table, project: Project) -> Iterator[str]:
    wanted = project.requires_python
    locked = lock.specifier("requires-python")
    if wanted is None or not locked:
        return
    allowed = {python for python in staleness.PYTHONS if python in SpecifierSet(locked)}
    asked = {python for python in staleness.PYTHONS if python in SpecifierSet(wanted)}
    # In a workspace, and where a group is for newer Pythons, the lock is for those that all of them allow.
    alone = (
        len(lock.table("manifest").strings("members")) < 2
        and not project.tool("uv").table("dependency-groups").values
    )
    if (allowed - asked and wanted) or (alone and wanted and asked - allowed):
        yield f"requires-python: {path.name} was made for {locked}, the project asks for {wanted}"


def _overall(path: Path, lock: Table, root: Project) -> Iterator[str]:
    manifest = lock.table("manifest")
    for key, setting in BOUNDS:
        locked = [_locked(entry, "", "", frozenset()) for entry in manifest.tables(key)]
        wanted = [_wanted(text, "", "", root, frozenset()) for text in root.tool("uv").strings(setting)]
        yield from staleness.changed(f"tool.uv.{setting}", locked, wanted, path)
    yield from uv_settings.changed(lock, root)


class _Comparison:
    """One member of a lock against one project."""

    def __init__(self, path: Path, lock: Table, member: Entry, project: Project, root: Project) -> None:
        self._path = path
        self._requires_python = lock.specifier("requires-python")
        self._metadata = member.table.table("metadata")
        self._name = member.name
        self._project = project
        sources = {**root.tool("uv").table("sources").values, **project.tool("uv").table("sources").values}
        self._sources = {canonicalize_name(name): source for name, source in sources.items()}

    def all(self) -> Iterator[str]:
        if self._project.name != self._name:
            yield f"name: {self._path.name} was made for {self._name}, the project is {self._project.name}"
            return
        told = self._metadata.tables("requires-dist")
        if self._project.dependencies is not None:
            plain = [entry for entry in told if "extra" not in entry.string("marker")]
            yield from self._changed("dependencies", plain, "", self._project.dependencies)
        if self._project.extras is not None:
            yield from self._extras(told, dict(self._project.extras))
        groups = self._project.groups
        locked = self._metadata.table("requires-dev")
        names: dict[str, str] = {canonicalize_name(name): name for name in locked.values}
        for name in sorted({*names, *groups}):
            entries = locked.tables(names.get(name, name))
            yield from self._changed(f"the group {name!r}", entries, "", groups.get(name, ()))

    def _extras(self, told: list[Table], extras: dict[str, tuple[str, ...]]) -> Iterator[str]:
        known: set[str] = {canonicalize_name(name) for name in self._metadata.strings("provides-extras")}
        for name in sorted(known - set(extras)):
            yield f"{self._path.name} has the extra {name!r}, which the project has not"
        for name in sorted(set(extras) - known):
            yield f"the extra {name!r} is not in {self._path.name}"
        optional = [entry for entry in told if "extra" in entry.string("marker")]
        for name in sorted(known & set(extras)):
            yield from self._changed(f"the extra {name!r}", optional, name, extras[name])

    def _changed(
        self, context: str, entries: Iterable[Table], extra: str, texts: Iterable[str]
    ) -> Iterator[str]:
        free = frozenset(self._sources)
        locked = [_locked(entry, extra, self._requires_python, free) for entry in entries]
        wanted = [_wanted(text, extra, self._requires_python, self._project, free) for text in texts]
        yield from staleness.changed(context, locked, wanted, self._path)
        for entry in entries:
            name = canonicalize_name(entry.needed("name"))
            source = self._sources.get(name)
            elsewhere = isinstance(source, dict) and {"git", "url", "path", "workspace"} & set(source)
            if elsewhere and not any(kind in entry for kind in DIRECT):
                yield f"{context}: {self._path.name} has {name} from an index, tool.uv.sources from elsewhere"


def _locked(entry: Table, extra: str, requires_python: str, free: frozenset[str]) -> Asked:
    name = canonicalize_name(entry.needed("name"))
    specifier = None if any(kind in entry for kind in DIRECT) else SpecifierSet(entry.specifier("specifier"))
    found = Asked(
        name=name,
        extras=frozenset(map(canonicalize_name, entry.strings("extras"))),
        specifier=specifier,
        where=staleness.where(entry.string("marker"), extra, requires_python),
    )
    return _freed(found) if name in free else found


def _wanted(text: str, extra: str, requires_python: str, project: Project, free: frozenset[str]) -> Asked:
    asked = staleness.requirement(text, project.root / "pyproject.toml")
    name = canonicalize_name(asked.name)
    found = Asked(
        name=name,
        extras=frozenset(map(canonicalize_name, asked.extras)),
        specifier=None if asked.url else asked.specifier,
        where=staleness.where(str(asked.marker or ""), extra, requires_python),
    )
    return _freed(found) if name in free else found


def _freed(asked: Asked) -> Asked:
    """Only whether it is asked for at all: a source may split a requirement by marker, extra or group."""
    return Asked(asked.name, frozenset(), None, tuple(any(asked.where) for _ in asked.where))
