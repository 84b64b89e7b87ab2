"""What a lock file was made for, held against what the project says now.

Called by the formats' `differences`. It never decides for one interpreter: a lock is stale for everyone or for nobody,
so markers are compared on a grid of Pythons and platforms.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks.conditions import Conditions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tox_wheelfarm.locks.project import Project

PYTHONS = ("2.7.18", *(f"3.{minor}.{micro}" for minor in range(30) for micro in (0, 9)))
"""Enough to tell two specifiers of Python apart that anybody writes."""
GRID = (
    *((f"3.{minor}", "linux") for minor in (6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)),
    *((python, system) for python in ("3.9", "3.12", "3.14") for system in ("windows", "macos", "linux-arm")),
)
"""Where markers are compared."""


class Asked(NamedTuple):
    """A requirement, in a form that can be compared.

    Attributes:
        name: normalised.
        extras: of it.
        specifier: None where a source other than an index decides.
        where: on which places of the grid its marker holds; all of one comparison have the same places.
    """

    name: str
    extras: frozenset[str]
    specifier: SpecifierSet | None
    where: tuple[bool, ...]

    def __str__(self) -> str:
        extras = f"[{','.join(sorted(self.extras))}]" if self.extras else ""
        specifier = "" if self.specifier is None else str(self.specifier)
        return f"{self.name}{extras}{specifier}"


def requirement(text: str, path: Path) -> Requirement:
    """A requirement (PEP 508).

    Raises:
        LockFileError: it is none.
    """
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError) as wrong:
        raise LockFileError(f"{path}: {text[:120]!r} is no requirement (PEP 508)") from wrong


@lru_cache(maxsize=4096)
def where(marker: str, extra: str, requires_python: str) -> tuple[bool, ...]:
    """On which places of the grid a marker holds, with an extra; only those inside `requires_python` count."""
    inside = _inside(requires_python)
    return tuple(grid.hold(marker) for grid, counts in zip(_grid(extra), inside) if counts)


@lru_cache(maxsize=256)
def _inside(requires_python: str) -> tuple[bool, ...]:
    specifier = SpecifierSet(requires_python)
    found = tuple(any(specifier.contains(f"{python}.{micro}") for micro in (0, 99)) for python, _ in GRID)
    return found if any(found) else tuple(True for _ in GRID)


@lru_cache(maxsize=256)
def _grid(extra: str) -> tuple[Conditions, ...]:
    from tox_wheelfarm.locks import platforms

    extras = {extra} if extra else ()
    return tuple(Conditions(platforms.target(python, system), extras) for python, system in GRID)


def changed(context: str, locked: Collection[Asked], wanted: Collection[Asked], path: Path) -> Iterator[str]:
    """What differs between what a lock was made from and what the project says, by name.

    Args:
        context: where the requirements stand, such as `dependencies` or `the extra "web"`.
        locked: what the lock was made from.
        wanted: what the project says.
        path: of the lock.
    """
    before, now = _by_name(locked), _by_name(wanted)
    for name in sorted({*before, *now}):
        old, new = before.get(name, []), now.get(name, [])
        if not old:
            yield f"{context}: {_told(new)} is not in {path.name}"
        elif not new:
            yield f"{context}: {path.name} was made with {_told(old)}, which the project does not ask for"
        elif not _same(old, new):
            yield f"{context}: {path.name} was made for {_told(old)}, the project asks for {_told(new)}"


def _by_name(asked: Iterable[Asked]) -> dict[str, list[Asked]]:
    found: dict[str, list[Asked]] = {}
    for each in asked:
        if any(each.where):
            found.setdefault(each.name, []).append(each)
    return found


def _told(asked: Sequence[Asked]) -> str:
    words = {str(each): each for each in asked}
    told = " and ".join(sorted(words))
    everywhere = all(all(each.where) for each in asked)
    return told if everywhere else f"{told} (under a marker)"


def _same(old: Sequence[Asked], new: Sequence[Asked]) -> bool:
    def key(each: Asked, other: Sequence[Asked]) -> tuple[object, ...]:
        free = each.specifier is None or any(one.specifier is None for one in other)
        return (each.extras, None if free else each.specifier, each.where)

    return {key(each, new) for each in old} == {key(each, old) for each in new}


def pythons(locked: str, project: Project, path: Path) -> Iterator[str]:
    """Whether the lock and the project have no Python in common."""
    wanted = project.requires_python
    if not locked or not wanted:
        return
    one, other = SpecifierSet(locked), SpecifierSet(wanted)
    if not any(one.contains(python) and other.contains(python) for python in PYTHONS):
        yield f"requires-python: {path.name} was made for {locked}, the project asks for {wanted}"


def gone(kind: str, locked: Collection[str], known: Collection[str] | None, path: Path) -> Iterator[str]:
    """Extras or groups that a lock has and the project has not, and the other way round where the lock has any."""
    if known is None or not locked:
        return
    for name in sorted(set(locked) - set(known)):
        yield f"{path.name} has the {kind} {name!r}, which the project has not"
    for name in sorted(set(known) - set(locked)):
        yield f"the {kind} {name!r} is not in {path.name}"


def unsatisfied(versions: Mapping[str, Sequence[str]], project: Project, path: Path) -> Iterator[str]:
    """The project's own dependencies that no pin of the lock satisfies.

    A missing one with a marker may belong to another platform than the lock was made for, and is not told.

    Args:
        versions: the pinned versions of each name; "" for a direct reference, which satisfies everything.
        project: what is there now.
        path: of the lock.
    """
    for text in project.dependencies or ():
        wanted = requirement(text, project.root / "pyproject.toml")
        pinned = versions.get(canonicalize_name(wanted.name))
        if pinned is None:
            if wanted.marker is None:
                yield f"dependencies: {text} is not in {path.name}"
        elif wanted.url is None and not any(satisfies(version, wanted.specifier) for version in pinned):
            yield f"dependencies: {path.name} has {wanted.name} {' and '.join(pinned)}, the project asks for {text}"


def satisfies(version: str, specifier: SpecifierSet) -> bool:
    """Whether a pinned version is in a range; "" is a direct reference, which satisfies everything."""
    return not version or specifier.contains(Version(version), prereleases=True)
