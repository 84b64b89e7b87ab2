"""What differs between what two jobs had installed: environment by environment, package by package.

Called by doors and windows with what installed_sets has read. It compares versions as they were told, and decides
nothing: which of two is better, or whose fault a failure is, it never says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from farm_scheduler.installed_sets import JobSets
from farm_scheduler.set_tables import InstalledSet

Package = Mapping[str, Any]


class Kind(StrEnum):
    """How a package differs."""

    ADDED = "added"
    """Only the second job had it."""
    REMOVED = "removed"
    """Only the first had it."""
    CHANGED = "changed"
    """Both had it, in other versions."""
    OTHER_FILE = "other-file"
    """Both had the same version, from files with other hashes: built for other interpreters, or rebuilt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One package that differs; what a job did not have is None. For `other-file` the two are hashes."""

    kind: Kind
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An environment of each job, beside each other.

    Attributes:
        first: its name in the first job, None where that had none like it; `second` likewise.
        same: how many packages are the same.
    """

    first: str | None
    second: str | None
    same: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two jobs beside each other; `pairs` are in the order of the first."""

    first: JobSets
    second: JobSets
    pairs: tuple[Pair, ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs, and both had the same environments."""
        return all(not pair.differences and pair.first and pair.second for pair in self.pairs)


def compare(first: JobSets, second: JobSets) -> Comparison:
    """What differs. Environments belong together by name; where each job had one only, by that."""
    before = {each.environment: each for each in first.sets}
    after = {each.environment: each for each in second.sets}
    if len(before) == len(after) == 1:
        pairs = [_pair(first.sets[0], second.sets[0])]
    else:
        pairs = [_pair(each, after.get(name)) for name, each in before.items()]
        pairs += [_pair(None, each) for name, each in after.items() if name not in before]
    return Comparison(first=first, second=second, pairs=tuple(pairs))


def _pair(first: InstalledSet | None, second: InstalledSet | None) -> Pair:
    before, after = _packages(first), _packages(second)
    found = tuple(_differences(before, after)) if first is not None and second is not None else ()
    return Pair(
        first=first.environment if first else None,
        second=second.environment if second else None,
        same=len(before.keys() & after.keys())
        - sum(each.kind in {Kind.CHANGED, Kind.OTHER_FILE} for each in found),
        differences=found,
    )


def _packages(found: InstalledSet | None) -> dict[str, Package]:
    packages: Sequence[Package] = found.packages if found is not None else ()
    return {str(each["name"]): each for each in packages}


def _differences(before: Mapping[str, Package], after: Mapping[str, Package]) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield Difference(
                kind=Kind.ADDED if old is None else Kind.REMOVED,
                name=name,
                before=old["version"] if old else None,
                after=new["version"] if new else None,
            )
        elif old["version"] != new["version"]:
            yield Difference(kind=Kind.CHANGED, name=name, before=old["version"], after=new["version"])
        elif old.get("hash") and new.get("hash") and old["hash"] != new["hash"]:
            yield Difference(kind=Kind.OTHER_FILE, name=name, before=old["hash"], after=new["hash"])
