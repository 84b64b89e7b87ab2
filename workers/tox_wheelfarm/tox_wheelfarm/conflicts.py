"""Whether what is installed fits together, and who asked for what does not.

Called after every install. All conflicts are found, each with the whole chain of its requirers; it never stops at
the first, and changes nothing.
"""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tox_wheelfarm.installed import Installed


ONLY_EXTRA = re.compile(r"""[\s;(]extra\s*==\s*['"]([A-Za-z0-9._-]+)['"]\s*\)?\s*$""")
"""The end of a requirement that counts with one extra only, if no `or` is in it."""

OR = re.compile(r"\bor\b")


class Conflict(NamedTuple):
    """A requirement that what is installed does not satisfy.

    Attributes:
        name: normalised, what is required.
        found: the version that is installed, or "" for none.
        chain: the requirement itself last; before it each of its requirers, `name version`, the outermost first.
    """

    name: str
    found: str
    chain: tuple[str, ...]

    def __str__(self) -> str:
        """One line."""
        have = f"{self.name} {self.found} is installed" if self.found else f"{self.name} is not installed"
        return f"{have}, but {' -> '.join(self.chain)}"


class Wanted(NamedTuple):
    """A requirement met on the walk: by whom, and through whom."""

    requirement: Requirement
    chain: tuple[str, ...]


def find(
    installed: Mapping[str, Installed],
    roots: Sequence[str],
    markers: Mapping[str, str],
    lenient: Iterable[str] = (),
) -> tuple[Conflict, ...]:
    """Every conflict, each once for each requirer.

    Args:
        installed: by normalised name.
        roots: requirements (PEP 508) that were asked for; what is not reached from them is a root of its own.
        markers: the interpreter's environment markers (PEP 508).
        lenient: normalised names of requirers that may lack what they need, but not have it wrong.
    """
    forgiven = frozenset(lenient)
    # Who comes first decides the chains, not whether there are any, and mostly there are none.
    if not _walk(installed, roots, markers, forgiven, sorted(installed)):
        return ()
    return _walk(installed, roots, markers, forgiven, _outermost_first(installed, markers))


def _walk(
    installed: Mapping[str, Installed],
    roots: Sequence[str],
    markers: Mapping[str, str],
    forgiven: frozenset[str],
    order: Iterable[str],
) -> tuple[Conflict, ...]:
    seen: set[tuple[str, frozenset[str]]] = set()
    found: dict[tuple[str, str], Conflict] = {}
    waiting = deque(Wanted(each, ("you asked for",)) for each in _parsed(roots, markers, frozenset()))
    rest = iter(order)
    reached: set[str] = set()
    while True:
        while waiting:
            wanted = waiting.popleft()
            name = canonicalize_name(wanted.requirement.name)
            conflict = _check(wanted, installed.get(name))
            if conflict and (conflict.found or _requirer(wanted) not in forgiven):
                found.setdefault((_requirer(wanted), str(wanted.requirement)), conflict)
            if name in installed:
                reached.add(name)
                waiting.extend(_further(wanted, installed[name], markers, seen))
        alone = next((name for name in rest if name not in reached), None)
        if alone is None:
            return tuple(sorted(found.values(), key=lambda each: (each.name, each.chain)))
        reached.add(alone)
        waiting.extend(_further(Wanted(Requirement(alone), ()), installed[alone], markers, seen))


def _outermost_first(installed: Mapping[str, Installed], markers: Mapping[str, str]) -> list[str]:
    # Chains begin with what nothing else needs; a circle begins anywhere.
    needed = {
        canonicalize_name(each.name)
        for name, dist in installed.items()
        for each in _parsed(dist.requires, markers, dist.extras)
        if canonicalize_name(each.name) != name
    }
    return sorted(installed, key=lambda name: (name in needed, name))


def _further(
    wanted: Wanted,
    dist: Installed,
    markers: Mapping[str, str],
    seen: set[tuple[str, frozenset[str]]],
) -> Iterator[Wanted]:
    # A circle comes back to a pair that was seen. An extra that comes later opens only what it adds.
    name = canonicalize_name(dist.name)
    extras = frozenset(canonicalize_name(extra) for extra in wanted.requirement.extras)
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    requirer = f"{name} {dist.version}"
    outer = wanted.chain if wanted.chain != ("you asked for",) else ()
    for each in _parsed(dist.requires, markers, extras):
        yield Wanted(each, (*outer, requirer))


def _parsed(
    lines: Iterable[str], markers: Mapping[str, str], extras: frozenset[str]
) -> Iterator[Requirement]:
    for line in lines:
        only = ONLY_EXTRA.search(line)
        if only and not OR.search(line) and canonicalize_name(only[1]) not in extras:
            continue  # Most lines are of this kind, and parsing is most of the time of a check.
        requirement = _requirement(line)
        if requirement is None:
            continue
        asked = {"", *extras} if "extra" in line else {""}
        if requirement.marker is None or any(
            requirement.marker.evaluate({**markers, "extra": extra}) for extra in asked
        ):
            yield requirement


@lru_cache(maxsize=4096)
def _requirement(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except InvalidRequirement:
        return None  # Old metadata; pip and uv refuse to read it when they resolve, so nothing was decided by it.


def _check(wanted: Wanted, dist: Installed | None) -> Conflict | None:
    requirement = wanted.requirement
    if dist is None:
        return _conflict(wanted, "")
    if requirement.url or not requirement.specifier:
        return None
    try:
        fits = requirement.specifier.contains(Version(dist.version), prereleases=True)
    except (InvalidVersion, InvalidSpecifier):
        fits = any(spec.operator == "===" and spec.version == dist.version for spec in requirement.specifier)
    return None if fits else _conflict(wanted, dist.version)


def _conflict(wanted: Wanted, found: str) -> Conflict:
    bare = Requirement(str(wanted.requirement))
    bare.marker = None
    return Conflict(canonicalize_name(bare.name), found, (*wanted.chain, str(bare)))


def _requirer(wanted: Wanted) -> str:
    return wanted.chain[-1].partition(" ")[0]
