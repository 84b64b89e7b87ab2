"""What needs what, among the releases of one lock file, and the part of it that one environment needs.

Filled by the formats that carry edges (poetry, pdm). It never resolves: between two locked releases of one name the
edges decide, and what they leave open is refused or, as the tools themselves do, given to the newer one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from tox_wheelfarm.errors import LockFileError, RequiresUnsafeDepError
from tox_wheelfarm.locks.condition import ALWAYS, Condition
from tox_wheelfarm.locks.poetry_versions import ANY, Versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tox_wheelfarm.locks.pin import Pin

ROUNDS = 40
"""Real locks settle in two or three."""

UNSAFE = frozenset({"pip", "setuptools", "wheel", "distribute"})
"""What older tools leave out of their lock files on purpose."""


@dataclass(frozen=True)
class Edge:
    """One requirement.

    Attributes:
        name: of what is needed, normalised.
        accepts: the versions that do.
        condition: for which environments, and for which extras of the one that requires.
        extras: asked of what is needed, normalised.
        reference: how the direct reference that is needed begins, or "".
        rest: how it goes on where no lock says it: the revision that is asked for, and the folder in it.
        by: who requires it, for messages.
    """

    name: str
    accepts: Versions = ANY
    condition: Condition = ALWAYS
    extras: frozenset[str] = frozenset()
    reference: str = ""
    by: str = ""
    rest: str = ""

    def fits(self, release: Release) -> bool:
        """Whether a release satisfies it; a direct reference without a version satisfies every range."""
        return not release.pin.version or release.pin.version in self.accepts


@dataclass(frozen=True)
class Release:
    """One locked release.

    Attributes:
        pin: without what only a selection tells (`extras`, `requires`).
        condition: for which environments it is at all.
        edges: what it requires.
        groups: the groups of dependencies that it is in, each with its condition; None when the lock does not tell.
    """

    pin: Pin
    condition: Condition = ALWAYS
    edges: tuple[Edge, ...] = ()
    groups: Mapping[str, Condition] | None = None


@dataclass
class Part:
    """The releases that an environment needs, by name, each with the extras that are asked of it."""

    releases: dict[str, Release] = field(default_factory=dict)
    extras: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, release: Release, file: str) -> None:
        """Take one more release in.

        Raises:
            LockFileError: another release of its name is in.
        """
        name = release.pin.name
        there = self.releases.setdefault(name, release)
        if there is not release and (there.pin.version, there.pin.reference) != (
            release.pin.version,
            release.pin.reference,
        ):
            both = f"{_shown(there)} and {_shown(release)}"
            raise LockFileError(
                f"{file} gives two versions of {name} for this environment: {both}; "
                "ask for fewer extras or groups at once, or lock again"
            )

    def spread(self, roots: Iterable[Edge], environment: Mapping[str, str]) -> None:
        """Follow the requirements among the releases that are in, and note the extras that they ask for."""
        waiting = list(roots)
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            edge = waiting.pop()
            before = self.extras.get(edge.name, frozenset())
            after = before | edge.extras
            if edge.name not in self.releases or (edge.name, after) in seen:
                continue
            seen.add((edge.name, after))
            self.extras[edge.name] = after
            release = self.releases[edge.name]
            waiting.extend(one for one in release.edges if one.condition.holds(environment, after))

    def pins(self, environment: Mapping[str, str]) -> tuple[Pin, ...]:
        """The pins, by name, each with its extras and with what it needs here."""
        made = []
        for name, release in sorted(self.releases.items()):
            extras = self.extras.get(name, frozenset())
            needed = {edge.name for edge in release.edges if edge.condition.holds(environment, extras)}
            made.append(
                replace(
                    release.pin, extras=extras, requires=tuple(sorted(needed & set(self.releases) - {name}))
                )
            )
        return tuple(made)


@dataclass(frozen=True)
class Graph:
    """The releases of a lock file.

    Attributes:
        file: its name, for messages.
        releases: by name.
        own: the project's own name; what requires it is content with the project.
        marked: whether releases carry the markers, and requirements none (poetry 1.0): a requirement of what is for
            other environments is then none here.
    """

    file: str
    releases: Mapping[str, tuple[Release, ...]]
    own: str = ""
    marked: bool = False

    def walk(self, roots: Iterable[Edge], environment: Mapping[str, str]) -> Part:
        """Everything that these requirements need, and they themselves.

        Raises:
            LockFileError: something needed is not in the lock file, or not for this environment.
            RequiresUnsafeDepError: the same, of pip, setuptools or wheel.
        """
        wanted = tuple(roots)
        known: dict[str, dict[int, Edge]] = {}
        for _ in range(ROUNDS):
            part, demands = self._reach(wanted, environment, known)
            if {name: set(edges) for name, edges in demands.items()} == {
                name: set(edges) for name, edges in known.items()
            }:
                self._settled(part, demands)
                return part
            known = demands
        raise LockFileError(f"{self.file} has requirements that never settle on one version each; lock again")

    def _reach(
        self, roots: tuple[Edge, ...], environment: Mapping[str, str], known: Mapping[str, Mapping[int, Edge]]
    ) -> tuple[Part, dict[str, dict[int, Edge]]]:
        """One round: from the roots outward, choosing with what the round before knew of each name."""
        part, waiting = Part(), list(reversed(roots))
        demands: dict[str, dict[int, Edge]] = {}
        while waiting:
            edge = waiting.pop()
            if edge.name == self.own and edge.name not in self.releases:
                continue
            if self.marked and edge.name in self.releases and not self.candidates(edge.name, environment):
                continue
            asked = demands.setdefault(edge.name, {})
            asked[id(edge)] = edge
            release = self._choose(edge, asked, known.get(edge.name, {}), environment)
            extras = part.extras.get(edge.name, frozenset()) | edge.extras
            if part.releases.get(edge.name) is release and part.extras[edge.name] == extras:
                continue
            part.releases[edge.name], part.extras[edge.name] = release, extras
            waiting.extend(one for one in release.edges if one.condition.holds(environment, extras))
        return part, demands

    def _choose(
        self, edge: Edge, asked: Mapping[int, Edge], known: Mapping[int, Edge], environment: Mapping[str, str]
    ) -> Release:
        here = self.candidates(edge.name, environment)
        for demands in ({**known, **asked}, asked, {0: edge}):
            fitting = [one for one in here if all(demand.fits(one) for demand in demands.values())]
            references = tuple(demand.reference for demand in demands.values() if demand.reference)
            exact = [one for one in fitting if references and one.pin.reference.startswith(references)]
            if fitting:
                return max(exact or fitting, key=_newness)
        if len(here) == 1:
            # Nothing to decide: the tool chose it against the requirement (an override), or the lock is stale.
            return here[0]
        raise self._missing(edge)

    def _settled(self, part: Part, demands: Mapping[str, Mapping[int, Edge]]) -> None:
        """Refuse a choice that does not satisfy everyone: then the lock file itself has two versions."""
        for name, edges in demands.items():
            chosen, several = part.releases[name], len(self.releases[name]) > 1
            for edge in edges.values():
                if several and not edge.fits(chosen):
                    asked = sorted(
                        {f"{one.by or 'the project'} ({one.accepts.text})" for one in edges.values()}
                    )
                    has = " and ".join(sorted(_shown(one) for one in self.releases[name]))
                    raise LockFileError(
                        f"{self.file} gives two versions of {name}, {has}, and no single one satisfies "
                        f"{' and '.join(asked)[:500]}; ask for fewer extras or groups at once"
                    )

    def candidates(self, name: str, environment: Mapping[str, str]) -> list[Release]:
        """The releases of a name that are for this environment at all."""
        return [one for one in self.releases.get(name, ()) if one.condition.holds(environment)]

    def _missing(self, edge: Edge) -> Exception:
        wanted = edge.name if edge.accepts.text in {"", "*"} else f"{edge.name} ({edge.accepts.text})"
        needs = f"{self.file}: {edge.by or 'the project'} needs {wanted}"
        there = self.releases.get(edge.name, ())
        if there:
            has = ", ".join(sorted(_shown(one) for one in there))
            return LockFileError(
                f"{needs}; it has {has}, which is not for that or this environment: lock again"
            )
        if edge.name in UNSAFE:
            told = f"{needs}, and gives no version of it: lock again with a newer version of the tool"
            return RequiresUnsafeDepError(told)
        return LockFileError(f"{needs}, which is not in it: lock again")


def by_name(releases: Iterable[Release]) -> dict[str, tuple[Release, ...]]:
    """Releases by their names."""
    found: dict[str, list[Release]] = {}
    for release in releases:
        found.setdefault(release.pin.name, []).append(release)
    return {name: tuple(ones) for name, ones in found.items()}


def _newness(release: Release) -> Version:
    return Version(release.pin.version or "0")


def _shown(release: Release) -> str:
    return release.pin.version or release.pin.reference
