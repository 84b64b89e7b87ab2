"""Lists of requirements any one of which will do: Poetry's `^1.1 || ~2.0` is two ranges, and PEP 440 can say only one.

Made by `unlocked`, tried by `decision` in their order. It never looks a release up: which part has one, the resolver
finds out.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import InvalidVersion, Version

from tox_wheelfarm.errors import ConstraintsError, ResolutionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from packaging.specifiers import Specifier, SpecifierSet

    from tox_wheelfarm.locks.graph import Edge

    Found = TypeVar("Found")

MOST = 32
"""Each is a resolution of its own."""


class Place(NamedTuple):
    """Of a bound in the order of versions.

    Attributes:
        end: -1 before every version, 1 behind every version, else 0.
        version: where it is.
        side: -1 just before that, 1 just behind it, 0 with it.
    """

    end: int
    version: Version
    side: int


BELOW = Place(-1, Version("0"), 0)
ABOVE = Place(1, Version("0"), 0)


class Alternatives(NamedTuple):
    """Requirements, in other words or in several.

    Attributes:
        lists: PEP 508, the best list first; one empty list where nothing is asked for.
        unions: what has more than one part, as it is written.
    """

    lists: tuple[tuple[str, ...], ...] = ((),)
    unions: tuple[str, ...] = ()

    def first(self, found: Callable[[tuple[str, ...]], Found]) -> Found:
        """What comes of the first list that `found` does not refuse.

        Raises:
            ConstraintsError, ResolutionError: it refuses all; the error is the one of the best list.
        """
        best, *others = self.lists
        try:
            return found(best)
        except (ConstraintsError, ResolutionError) as wrong:
            if not others:
                raise
            refused = wrong
        for lines in others:
            with suppress(ConstraintsError, ResolutionError):  # that of the best list is told
                return found(lines)
        told = f"{refused}\nEach other part of {' and '.join(self.unions)} is refused too."
        raise type(refused)(told) from refused


def alternatives(edges: Iterable[Edge], *, lowest: bool) -> Alternatives:
    """The requirements as lines: of a union its newest part first, or its oldest.

    Raises:
        ResolutionError: there would be more than `MOST` lists.
    """
    every: dict[tuple[str, ...], Edge] = {}
    for edge in edges:
        every.setdefault(tuple(_lines(edge, lowest)), edge)
    several = [edge for lines, edge in every.items() if len(lines) > 1]
    unions = tuple(dict.fromkeys(f"{edge.name} {edge.accepts.text}" for edge in several))
    if prod(map(len, every)) > MOST:
        raise ResolutionError(
            f"pyproject.toml has too many ranges with `||` to try: {', '.join(unions)[:500]}; write one range for each"
        )
    return Alternatives(tuple(product(*every)), unions)


def _lines(edge: Edge, lowest: bool) -> list[str]:
    extras = f"[{','.join(sorted(edge.extras))}]" if edge.extras else ""
    if edge.reference:
        return [f"{edge.name}{extras} @ {edge.reference}{edge.rest}"]
    parts = sorted(edge.accepts.ranges, key=_floor) if lowest else sorted(edge.accepts.ranges, key=_top)[::-1]
    return list(dict.fromkeys(f"{edge.name}{extras}{part}" for part in parts))


def _floor(part: SpecifierSet) -> Place:
    return max((_between(one)[0] for one in part), default=BELOW)


def _top(part: SpecifierSet) -> Place:
    return min((_between(one)[1] for one in part), default=ABOVE)


def _between(one: Specifier) -> tuple[Place, Place]:
    """Where the versions that a comparison allows begin and end."""
    text = one.version.removesuffix(".*")
    try:
        version = Version(text)
    except InvalidVersion:  # `===` takes any word
        return BELOW, ABOVE
    here = Place(0, version, 0)
    if one.operator == "~=":
        return here, _behind(version, len(version.release) - 1)
    if one.operator in {"==", "==="}:
        return here, here if text == one.version else _behind(version, len(version.release))
    if one.operator in {"<", "<="}:
        return BELOW, here if one.operator == "<=" else here._replace(side=-1)
    if one.operator in {">", ">="}:
        return here if one.operator == ">=" else here._replace(side=1), ABOVE
    return BELOW, ABOVE


def _behind(version: Version, length: int) -> Place:
    """The end of all versions that begin with so many numbers of this one."""
    numbers = (*version.release[: length - 1], version.release[length - 1] + 1)
    return Place(0, Version(f"{version.epoch}!{'.'.join(map(str, numbers))}"), -1)
