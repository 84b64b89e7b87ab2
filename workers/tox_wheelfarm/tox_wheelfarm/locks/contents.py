"""A lock file of poetry or pdm, read: its releases, what the project asks for, and the set for one environment.

Filled by those two formats, which differ in words more than in sense. It never reads a file.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import ExtraNotFoundError, InstallerError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks.condition import ALWAYS, Condition
from tox_wheelfarm.locks.graph import Edge, Graph, Part, by_name
from tox_wheelfarm.locks.poetry_versions import ANY, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tox_wheelfarm.locks.graph import Release
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.poetry_project import Asked
    from tox_wheelfarm.locks.wish import Wish

MAIN = "main"
NAMED = re.compile(r"([a-z0-9-]+)(?:\[([a-z0-9,-]*)\])?")


@dataclass(frozen=True)
class Contents:
    """What a lock file holds.

    Attributes:
        graph: its releases.
        flat: whether they say themselves which groups they are in; otherwise requirements are followed.
        groups: the groups it was made for, `main` among them.
        extras: the project's extras it was made for.
        asked: what the project asks for, or None without a pyproject.toml.
        pythons: the Pythons that it is for.
        extras_are_groups: whether releases name the extras that they are for among their groups (pdm).
    """

    graph: Graph
    flat: bool
    groups: frozenset[str]
    extras: frozenset[str]
    asked: Asked | None = None
    pythons: Condition = ALWAYS
    extras_are_groups: bool = False

    def select(self, environment: Mapping[str, str], wish: Wish) -> tuple[Pin, ...]:
        """The set for an environment (the variables of PEP 508) and a wish, by name.

        Raises:
            ExtraNotFoundError: an extra or group is asked for that the lock file was not made for.
            LockedDepNotFoundError: a name is not in it, or not for this environment.
            LockFileError: it is not for this Python, or not exact.
            RequiresUnsafeDepError: pip, setuptools or wheel is needed and not in it.
        """
        groups = self._groups(wish)
        extras = self._known(wish.extras, self.extras, "extra") if wish.project else frozenset()
        self._known(wish.extras, self.extras, "extra")
        if not self.pythons.holds(environment):
            here = environment["python_full_version"]
            range_ = self.pythons.text
            raise LockFileError(f"{self.graph.file} is for {range_}, and this environment has Python {here}")
        roots = self.asked.roots(groups, extras, environment) if self.asked else []
        part = (
            self._flat(groups, extras, roots, environment) if self.flat else self._walked(roots, environment)
        )
        if wish.names:
            named = self._named(wish, extras, environment)
            for release in named.releases.values():
                part.add(release, self.graph.file)
            roots += [Edge(name, extras=extra) for name, extra in named.extras.items()]
        part.spread(roots, environment)
        return part.pins(environment)

    def _groups(self, wish: Wish) -> frozenset[str]:
        asked = frozenset(MAIN if one == "default" else str(canonicalize_name(one)) for one in wish.groups)
        found = set(self._known(asked, self.groups, "dependency group"))
        if wish.dev:
            found |= self.groups - {MAIN}
        if wish.project:
            found.add(MAIN)
        return frozenset(found)

    def _known(self, asked: frozenset[str], known: frozenset[str], kind: str) -> frozenset[str]:
        for one in sorted(asked - known):
            has = ", ".join(sorted(known - {MAIN})) or "none"
            raise ExtraNotFoundError(f"{self.graph.file} has no {kind} {one!r}; it has: {has}")
        return asked

    def _flat(
        self,
        groups: frozenset[str],
        extras: frozenset[str],
        roots: list[Edge],
        environment: Mapping[str, str],
    ) -> Part:
        wanted = groups | extras if self.extras_are_groups else groups
        kept = []
        for release in self._all():
            conditions = [one for group, one in (release.groups or {}).items() if group in wanted]
            if any(one.holds(environment, extras) for one in conditions):
                kept.append(release)
        if self.asked and len({one.pin.name for one in kept}) < len(kept):
            # Poetry 2 and pdm lock two versions of a name for overlapping groups or extras, and would install both,
            # one over the other. The requirements of what is asked for decide between them.
            return replace(self.graph, releases=by_name(kept)).walk(roots, environment)
        part = Part()
        for release in kept:
            part.add(release, self.graph.file)
        return part

    def _walked(self, roots: list[Edge], environment: Mapping[str, str]) -> Part:
        if self.asked is None:
            raise LockFileError(
                f"{self.graph.file} does not say what the project asks for, and there is no pyproject.toml beside it"
            )
        return self.graph.walk(roots, environment)

    def _named(self, wish: Wish, extras: frozenset[str], environment: Mapping[str, str]) -> Part:
        """What the names of a wish need, and they themselves."""
        here = self._here(extras, environment)
        roots = []
        for one in wish.names:
            found = NAMED.fullmatch(one)
            name, asked = (found[1], found[2]) if found else (one, None)
            if not here.releases.get(name):
                raise self._not_found(name, environment)
            # Of several releases for this environment, the one that the whole lock would choose.
            exact = (
                versions(f"=={here.releases[name][0].pin.version}") if len(here.releases[name]) == 1 else ANY
            )
            wanted = frozenset(asked.split(",")) - {""} if asked else frozenset()
            roots.append(Edge(name, exact, extras=wanted, by="locked_deps"))
        return here.walk(roots, environment)

    def _here(self, extras: frozenset[str], environment: Mapping[str, str]) -> Graph:
        """The lock file without what is for other environments."""
        if self.flat:
            tried = [extras, self.extras, *(frozenset({one}) for one in sorted(self.extras)[:200])]
            kept = [one for one in self._all() if _for(one, environment, tried)]
            return replace(self.graph, releases=by_name(kept))
        if self.asked is None:
            return self._candidates(environment)
        try:
            part = self.graph.walk(self.asked.roots(self.groups, self.extras, environment), environment)
        except InstallerError:
            # Something else in it is out of order: no reason to refuse what these names need.
            return self._candidates(environment)
        # The others stay known by name: an old poetry's requirement of one of them is then none here.
        others: dict[str, tuple[Release, ...]] = dict.fromkeys(self.graph.releases, ())
        return replace(self.graph, releases={**others, **by_name(part.releases.values())})

    def _candidates(self, environment: Mapping[str, str]) -> Graph:
        found = {name: tuple(self.graph.candidates(name, environment)) for name in self.graph.releases}
        return replace(self.graph, releases={name: ones for name, ones in found.items() if ones})

    def _not_found(self, name: str, environment: Mapping[str, str]) -> LockedDepNotFoundError:
        file = self.graph.file
        if name in self.graph.releases:
            told = sorted(
                {text for one in self.graph.releases[name] for text in _texts(one, environment) if text}
            )
            where = f" (only where {' or '.join(told)[:300]})" if told else ""
            return LockedDepNotFoundError(
                f"{file} has {name}, but not for this interpreter and platform{where}"
            )
        return LockedDepNotFoundError(f"{file} has no {name}{nearest(name, self.graph.releases)}")

    def _all(self) -> Iterable[Release]:
        return (release for releases in self.graph.releases.values() for release in releases)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of a sentence that names what may have been meant; empty if nothing is near."""
    near = difflib.get_close_matches(name, list(names)[:5000], 3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _for(release: Release, environment: Mapping[str, str], tried: list[frozenset[str]]) -> bool:
    conditions = (release.groups or {}).values()
    return any(one.holds(environment, extras) for one in conditions for extras in tried)


def _texts(release: Release, environment: Mapping[str, str]) -> list[str]:
    """The conditions that keep a release out of an environment."""
    if not release.condition.holds(environment):
        return [release.condition.text]
    return [one.text for one in (release.groups or {}).values()]
