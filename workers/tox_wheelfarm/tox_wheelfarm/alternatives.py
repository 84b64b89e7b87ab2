"""Lists of requirements any one of which will do: Poetry's `^1.1 || ~2.0` is two ranges, and PEP 440 can say only one.

Made by `unlocked`, tried by `decision` in their order. It never looks a release up: which part has one, the resolver
finds out.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from math import inf, prod
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

Place = tuple[float, ...]
"""Of a version among others: its epoch and its numbers."""


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
        return [f"{edge.name}{extras} @ {edge.reference}"]
    parts = sorted(edge.accepts.ranges, key=_floor) if lowest else sorted(edge.accepts.ranges, key=_top)[::-1]
    return list(dict.fromkeys(f"{edge.name}{extras}{part}" for part in parts))


def _floor(part: SpecifierSet) -> Place:
    return max((_bound(one)[0] for one in part), default=(-inf,))


def _top(part: SpecifierSet) -> Place:
    return min((_bound(one)[1] for one in part), default=(inf,))


def _bound(one: Specifier) -> tuple[Place, Place]:
    """Between which places the versions of one comparison are."""
    text = one.version.removesuffix(".*")
    try:
        version = Version(text)
    except InvalidVersion:  # `===` takes any word
        return (-inf,), (inf,)
    here: Place = (version.epoch, *version.release)
    if one.operator == "~=":
        return here, (*here[:-1], inf)
    if one.operator == "==":
        return here, (*here, inf) if text != one.version else here
    if one.operator in {"<", "<="}:
        return (-inf,), here
    return (here if one.operator in {">", ">="} else (-inf,)), (inf,)
