"""uv.lock, read and selected without uv, for this platform or any other.

The graph is walked from the project's own entry, as `uv sync` and `uv export --frozen` do; tests hold it to those. It
never resolves, and never asks whether the lock is fresh while it selects: `differences` does.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tox_wheelfarm.digests import digests
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import document, selection, trust
from tox_wheelfarm.locks.conditions import Conditions, python_fits
from tox_wheelfarm.locks.uv_metadata import differences
from tox_wheelfarm.locks.uv_packages import Entry, Need
from tox_wheelfarm.locks.walk import Step, Visit, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.document import Table
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


@dataclass(frozen=True)
class Roots:
    """Where a walk starts: what of which members is asked for.

    Attributes:
        project: the members themselves.
        extras, groups: of the members.
    """

    project: bool
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def activated(self, members: tuple[Entry, ...]) -> frozenset[str]:
        """The same as the extras by which uv writes conflicts into markers."""
        found = set()
        for member in members:
            found |= {_code("project", member.name)} if self.project else set()
            found |= {_code("extra", member.name, extra) for extra in self.extras & member.extras}
            found |= {_code("group", member.name, group) for group in self.groups & member.groups}
        return frozenset(found)


@dataclass(frozen=True)
class UvLock:
    """A uv.lock that has been read.

    Attributes:
        path: where it was read.
        sha256: of its bytes.
        table: what it says.
        entries: its packages.
        root: the project's folder: which member of a workspace is meant.
    """

    path: Path
    sha256: str
    table: Table
    entries: tuple[Entry, ...]
    root: Path
    format: str = "uv"
    options: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, data: bytes) -> UvLock:
        """Read it, for the project in its folder.

        Raises:
            LockFileError: it is no TOML, or no uv.lock of version 1.
        """
        table = document.toml(path, data)
        if table.values.get("version") != 1:
            raise LockFileError(f"{path} is no uv.lock of version 1: {table.values.get('version')!r}")
        table.specifier("requires-python")
        entries = tuple(Entry.read(entry) for entry in table.tables("package"))
        return cls(path, hashlib.sha256(data).hexdigest(), table, entries, path.parent)

    def of(self, project: Project) -> UvLock:
        """The same, for a member of its workspace.

        Raises:
            LockFileError: the project is no member.
        """
        found = replace(self, root=project.root)
        if not found.members:
            raise LockFileError(
                f"{self.path} does not hold the project in {project.root}; run `uv lock` there"
            )
        return found

    @cached_property
    def members(self) -> tuple[Entry, ...]:
        """The entries of the project: one, or every member where the workspace's root is no package."""
        found = tuple(entry for entry in self.entries if self.own(entry))
        if found or self.root.absolute() != self.path.parent.absolute():
            return found
        names = {canonicalize_name(name) for name in self.table.table("manifest").strings("members")}
        return tuple(entry for entry in self.entries if entry.folder and entry.name in names)

    @cached_property
    def extras(self) -> frozenset[str]:
        """The extras of the project."""
        return frozenset(extra for member in self.members for extra in member.extras)

    @cached_property
    def groups(self) -> frozenset[str]:
        """The dependency groups of the project, or of the workspace's root where that is no package."""
        return frozenset(group for member in self.members for group in member.groups) | frozenset(
            map(canonicalize_name, self._rootless.values)
        )

    def own(self, entry: Entry) -> bool:
        """Whether an entry is the project itself, which tox installs."""
        there = trust.folder(self.path.parent, entry.folder) if entry.folder else ""
        return there == str(self.root.absolute())

    @cached_property
    def beside(self) -> Mapping[str, str]:
        """What the workspace's root and uv's own file set, and what the folders say that packages are built from."""
        root = self.path.parent
        folders = (root, *(root / entry.folder for entry in self.entries if entry.folder))
        return digests([root / "uv.toml", *(folder / "pyproject.toml" for folder in folders)])

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for an interpreter; see `Lock.select`. Extras count with the project, as in the other formats."""
        with trust.at(self.path):
            self._check(target, wish)
            visits = self._visited(target, wish)
            return selection.exact(self.path, self._pins(visits, target), target)

    def _visited(self, target: Target, wish: Wish) -> Mapping[Entry, Visit[Entry]]:
        groups = wish.groups | (self.groups if wish.dev else frozenset())
        roots = Roots(wish.project, wish.extras if wish.project else frozenset(), groups)
        chosen = _Selection(self, target, roots)
        visits = dict(chosen.visits)
        for name in wish.names:
            for entry, visit in self._named(name, chosen).items():
                known = visits.get(entry, visit)
                needs = tuple(dict.fromkeys([*known.needs, *visit.needs]))
                visits[entry] = Visit(known.extras | visit.extras, needs)
        return visits

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of pyproject.toml it was not made for; see `Lock.differences`.

        The folders that the project needs, such as other members of its workspace, are held against theirs as well.
        """
        lock = replace(self, root=project.root)
        if not lock.members:
            return (f"{self.path.name} does not hold the project in {project.root}",)
        own = next((entry for entry in lock.members if lock.own(entry)), None)
        others = [entry for entry in lock.reachable() if entry.folder and entry is not own]
        return tuple(differences(self.path, self.table, own, others, project))

    def reachable(self) -> Iterator[Entry]:
        """Every entry that the project can need, with any extra or group and on any platform."""
        waiting, seen = list(self.members), set(self.members)
        while waiting:
            entry = waiting.pop()
            yield entry
            groups = entry.groups if entry in self.members else ()
            needs = [entry.needs(), *map(entry.needs, entry.extras), *map(entry.group, groups)]
            names = {need.name for found in needs for need in found}
            new = [other for name in names for other in self._by_name.get(name, ()) if other not in seen]
            seen.update(new)
            waiting.extend(new)

    def find(self, need: Need, conditions: Conditions) -> Entry:
        """The entry that is meant.

        Raises:
            LockFileError: there is none, or not one only.
        """
        found = [
            entry
            for entry in self._by_name.get(need.name, ())
            if need.version in {"", entry.version} and (not need.source or need.source == entry.source)
        ]
        if len(found) > 1:
            found = [entry for entry in found if any(map(conditions.hold, entry.forks))]
        if len(found) != 1:
            told = f"{need.name} {need.version}".strip()
            raise LockFileError(
                f"{self.path} needs {told} and holds {len(found)} of it; make it again: uv lock"
            )
        return found[0]

    def rootless(self, group: str) -> Iterator[Need]:
        """What a group of a workspace's root needs where that is no package."""
        for key in self._rootless.values:
            if canonicalize_name(key) == group:
                for entry in self._rootless.tables(key):
                    extras = frozenset(map(canonicalize_name, entry.strings("extras")))
                    name = canonicalize_name(entry.needed("name"))
                    yield Need(name, "", (), extras, entry.string("marker"))

    @cached_property
    def conflicts(self) -> list[dict[str, str]]:
        """The declared conflicts: sets of codes of which at most one can be asked for, with what each means."""
        found = []
        sets = self.table.values.get("conflicts", [])
        for position, _ in enumerate(sets if isinstance(sets, list) else []):
            items = document.Table(self.path, "conflicts", {str(position): sets[position]}).tables(
                str(position)
            )
            found.append(dict(_conflicting(item) for item in items))
        return found

    @cached_property
    def _rootless(self) -> Table:
        empty = document.Table(self.path, "", {})
        at_root = self.root.absolute() == self.path.parent.absolute()
        return (self.table if at_root else empty).table("manifest").table("dependency-groups")

    @cached_property
    def _by_name(self) -> Mapping[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.name, []).append(entry)
        return found

    def _check(self, target: Target, wish: Wish) -> None:
        for name in sorted(wish.extras - self.extras):
            raise selection.no_such_extra(self.path, "extra", name, self.extras)
        for name in sorted(wish.groups - self.groups):
            raise selection.no_such_extra(self.path, "group", name, self.groups)
        python = target.environment["python_full_version"]
        if not python_fits(target, self.table.specifier("requires-python")):
            told = self.table.string("requires-python")
            raise LockFileError(f"{self.path} is for Python {told}, and this is {python}")
        supported = self.table.strings("supported-markers")
        if supported and not any(map(Conditions(target).hold, supported)):
            raise LockFileError(f"{self.path} is not for this platform, only for {' or '.join(supported)}")

    def _named(self, name: str, chosen: _Selection) -> Mapping[Entry, Visit[Entry]]:
        """A named package and everything below it: as the wish has it, or else the project, a group or an extra."""
        found = chosen.below(name)
        tried = [
            Roots(project=True),
            *(Roots(project=True, groups=frozenset({group})) for group in sorted(self.groups)),
            *(Roots(project=True, extras=frozenset({extra})) for extra in sorted(self.extras)),
        ]
        for roots in tried if not found else ():
            found = _Selection(self, chosen.target, roots).below(name)
            if found:
                break
        if not found:
            known = {entry.name for entry in self.entries if not self.own(entry)}
            raise selection.no_such_package(self.path, name, known)
        return found

    def _pins(self, visits: Mapping[Entry, Visit[Entry]], target: Target) -> Iterator[Pin]:
        root = self.path.parent
        for entry, visit in visits.items():
            # A virtual entry is nothing that could be installed.
            if self.own(entry) or "virtual" in entry.table.table("source"):
                continue
            requires = tuple(sorted({needed.name for needed in visit.needs}))
            with trust.at(f"{self.path}, {entry.name} {entry.version}"):
                pin = entry.pin(root, visit.extras, requires, target)
            yield pin


class _Selection:
    """One walk from some roots, for one target."""

    def __init__(self, lock: UvLock, target: Target, roots: Roots) -> None:
        self.target = target
        self._lock = lock
        self.visits: Mapping[Entry, Visit[Entry]] = {}
        activated = roots.activated(lock.members)
        while True:  # an extra on the way may activate more; it ends when no further one is met
            self._conditions = Conditions(target, activated)
            self.visits = walk(self._start(roots), self._steps)
            met = {
                _code("extra", entry.name, extra)
                for entry, visit in self.visits.items()
                for extra in visit.extras
            }
            if not lock.conflicts or met <= activated:
                break
            activated |= met
        self._refuse_conflicts(activated)

    def below(self, name: str) -> Mapping[Entry, Visit[Entry]]:
        """What is reached from a name, without extras; nothing if it was not met."""
        found = next((entry for entry in self.visits if entry.name == name), None)
        if found is None or self._lock.own(found):
            return {}
        return walk([Step(found)], self._steps)

    def _start(self, roots: Roots) -> list[Step[Entry]]:
        started: deque[Step[Entry]] = deque()
        for member in self._lock.members:
            if roots.project:
                started.append(Step(member, roots.extras & member.extras))
            for group in sorted(roots.groups & member.groups):
                started.extend(self._follow(member.group(group)))
        for group in sorted(roots.groups):
            started.extend(self._follow(list(self._lock.rootless(group))))
        return list(started)

    def _steps(self, entry: Entry, extra: str) -> list[Step[Entry]]:
        return self._follow(entry.needs(extra))

    def _follow(self, needs: list[Need]) -> list[Step[Entry]]:
        return [
            Step(self._lock.find(need, self._conditions), need.extras) for need in needs if self._holds(need)
        ]

    def _holds(self, need: Need) -> bool:
        """Whether an edge is there; it may ask for the very extras that it activates."""
        own = {_code("extra", need.name, extra) for extra in need.extras} if "extra" in need.marker else set()
        if own <= self._conditions.extras:
            return self._conditions.hold(need.marker)
        return Conditions(self.target, self._conditions.extras | own).hold(need.marker)

    def _refuse_conflicts(self, activated: frozenset[str]) -> None:
        for conflict in self._lock.conflicts:
            both = sorted(conflict[code] for code in activated & set(conflict))
            if len(both) > 1:
                told = " and ".join(both)
                raise LockFileError(f"{self._lock.path} declares that {told} conflict; ask for one of them")


def _conflicting(item: Table) -> tuple[str, str]:
    package = canonicalize_name(item.needed("package"))
    for kind in ("extra", "group"):
        if kind in item:
            name = canonicalize_name(item.needed(kind))
            return _code(kind, package, name), f"the {kind} {name!r} of {package}"
    return _code("project", package), package


def _code(kind: str, package: str, name: str = "") -> str:
    """How uv writes an activated extra, group or project into a marker's `extra`."""
    return "-".join(part for part in (kind, str(len(package)), package, name) if part)
