"""Kinds of hosts: which one a system's machines need, and which systems a host of a kind serves.

Built by settings, asked by whoever sends a message that needs a machine, and by the claim. A kind is a word, such as
`x86_64`: a farm with hosts that are not alike names the systems that need another one. It knows no host by name.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

X86_64 = "x86_64"
"""The kind that every system needs that is not named: the farm's own recipes are for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The systems that a host takes jobs of: those named, or with `others` all but those named."""

    names: tuple[str, ...] = ()
    others: bool = True

    def has(self, system: str) -> bool:
        """Whether the host takes jobs of this system."""
        return (system in self.names) != self.others


EVERY_SYSTEM = Served()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKinds:
    """What is the same for all hosts of a farm.

    Attributes:
        named: the kind that a system needs, where it is not x86_64.
    """

    named: Mapping[str, str]

    def kind_of(self, system: str) -> str:
        """The kind of host that machines of this system need."""
        return self.named.get(system, X86_64)

    def served_by(self, kind: str) -> Served:
        """The systems that hosts of this kind serve."""
        if kind == X86_64:
            elsewhere = sorted(name for name, needed in self.named.items() if needed != X86_64)
            return Served(names=tuple(elsewhere))
        mine = sorted(name for name, needed in self.named.items() if needed == kind)
        return Served(names=tuple(mine), others=False)

    def count(self, systems: Iterable[str]) -> Counter[str]:
        """How many of these systems, which may repeat, need each kind."""
        return Counter(self.kind_of(system) for system in systems)
