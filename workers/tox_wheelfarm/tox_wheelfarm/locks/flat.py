"""A lock file that is one list, without extras or groups: what of the project's own is taken as being in it.

Called by `locked`. Such files are made for some extras and groups and do not say for which (a requirements file, a
recorded set). It never takes that on trust: each requirement of an extra or group must be met by a release of the list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import ExtraNotFoundError
from tox_wheelfarm.locks import staleness
from tox_wheelfarm.locks.conditions import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tox_wheelfarm.locks.lock import Lock
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.pipfile import PipfileLock
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.pylock import Pylock
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


class Implied(NamedTuple):
    """Extras and groups of a project that a flat lock file cannot name.

    Attributes:
        extras: normalised; None for all its requirements where only the build backend knows them.
        groups: normalised.
    """

    extras: Mapping[str, tuple[str, ...] | None]
    groups: Mapping[str, tuple[str, ...]]


def implied(lock: Lock, project: Project, wish: Wish) -> Implied:
    """Those that are asked for, that the project has, and that this lock file has no word for."""
    known = project.extras
    extras: dict[str, tuple[str, ...] | None] = {}
    if _knows_no_extra(lock):
        extras = {
            name: None if known is None else known[name]
            for name in map(canonicalize_name, wish.extras)
            if known is None or name in known
        }
    groups = {
        name: project.groups[canonicalize_name(name)]
        for name in wish.groups
        if canonicalize_name(name) in project.groups and _knows_no_group(lock, name)
    }
    return Implied(extras, groups)


def without(wish: Wish, found: Implied) -> Wish:
    """The same wish in words of the lock file: its one list is what stands for the rest."""
    if not found.extras and not found.groups:
        return wish
    extras = frozenset(name for name in wish.extras if canonicalize_name(name) not in found.extras)
    return replace(
        wish,
        project=wish.project or bool(found.groups),
        extras=extras,
        groups=wish.groups - set(found.groups),
    )


def check(lock: Lock, project: Project, found: Implied, pins: Sequence[Pin], target: Target) -> None:
    """Hold the list against what was taken as being in it.

    Raises:
        ExtraNotFoundError: no release of the list meets a requirement of such an extra or group.
    """
    versions = {pin.name: "" if pin.reference else pin.version for pin in pins}
    for kind, table in (("extra", found.extras), ("group", found.groups)):
        for name, lines in table.items():
            for text in _applying(lines or (), project, target, name if kind == "extra" else ""):
                asked = staleness.requirement(text, project.root / "pyproject.toml")
                there = versions.get(canonicalize_name(asked.name))
                if there is None or not (asked.url or staleness.satisfies(there, asked.specifier)):
                    has = f"has {asked.name} {there}" if there else f"has no {asked.name}"
                    raise ExtraNotFoundError(
                        f"{lock.path} {has}, which the {kind} {name!r} of the project asks for ({text}): "
                        "it was made without it; lock again with it"
                    )


def _applying(lines: Sequence[str], project: Project, target: Target, extra: str) -> Iterator[str]:
    """The requirements that hold here; of those on the project itself, what its extras ask for."""
    conditions = Conditions(target, {extra} if extra else ())
    seen: set[str] = {extra}
    waiting = list(lines)
    while waiting:
        text = waiting.pop(0)
        asked = staleness.requirement(text, project.root / "pyproject.toml")
        if not conditions.hold(str(asked.marker or "")):
            continue
        if canonicalize_name(asked.name) != project.name:
            yield text
            continue
        for more in {str(canonicalize_name(each)) for each in asked.extras} - seen:
            seen.add(more)
            waiting += (project.extras or {}).get(more, ())


# By the word for the format: importing the classes of all takes longer than installing a small set.
def _knows_no_extra(lock: Lock) -> bool:
    if lock.format == "pylock":
        told = cast("Pylock", lock)
        return not told.extras and not told.groups
    return lock.format in {"requirements", "pipfile"}


def _knows_no_group(lock: Lock, name: str) -> bool:
    if lock.format == "pipfile":
        return not cast("PipfileLock", lock).has_category(name)
    return _knows_no_extra(lock)
