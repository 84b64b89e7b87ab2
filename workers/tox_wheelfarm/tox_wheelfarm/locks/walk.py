"""A walk over a graph of releases, with the extras that are asked for on the way.

Called by the formats that are graphs. It decides no markers and never recurses: a lock file's depth is not ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Node = TypeVar("Node")


@dataclass(frozen=True)
class Step(Generic[Node]):
    """One edge of the graph: what is needed, and which of its extras."""

    to: Node
    extras: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Visit(Generic[Node]):
    """A release that was reached.

    Attributes:
        extras: of it, asked for anywhere on the way.
        needs: what it needs itself, with these extras.
    """

    extras: frozenset[str]
    needs: tuple[Node, ...]


def walk(
    roots: Iterable[Step[Node]], steps: Callable[[Node, str], Iterable[Step[Node]]]
) -> dict[Node, Visit[Node]]:
    """Everything that is reached.

    Args:
        roots: where it starts.
        steps: what a release needs by itself (extra "") or for one of its extras; called once for each pair.
    """
    waiting = list(reversed(list(roots)))
    extras: dict[Node, set[str]] = {}
    needs: dict[Node, dict[Node, None]] = {}
    while waiting:
        step = waiting.pop()
        known = extras.setdefault(step.to, set())
        new = sorted({"", *step.extras} - known)
        known.update(new)
        for extra in new:
            for further in steps(step.to, extra):
                needs.setdefault(step.to, {})[further.to] = None
                waiting.append(further)
    return {
        node: Visit(frozenset(found - {""}), tuple(needs.get(node, {}))) for node, found in extras.items()
    }
