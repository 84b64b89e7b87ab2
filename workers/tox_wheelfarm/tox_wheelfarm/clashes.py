"""Constraints against requirements: what cannot be had together, with both sides and where each stands.

Called by `resolution` and `old_resolution`, before uv or pip is asked and when it found no set. It never resolves: what
only a resolver can find out is told in the resolver's words, with the constraints that take part beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tox_wheelfarm.declared import declared
from tox_wheelfarm.errors import ConstraintsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tox_wheelfarm.constraints import Constraints
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.pip import Folder
    from tox_wheelfarm.statements import Statement

NEEDS = re.compile(
    r"(?P<who>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?(?P<version>==[\w.+!]+)? depends? on "
    r"(?P<name>[A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?(?P<range>(?:[<>=!~]=?=?[\w.*+!]+)(?:,[<>=!~]=?=?[\w.*+!]+)*)"
)
"""How uv says that one release needs another, in its derivations."""

REMEDY = "Change one of the two: the constraint, or what asks for it."


@dataclass(frozen=True)
class Bound:
    """A constraint that holds for the interpreter, and where it stands."""

    statement: Statement
    requirement: Requirement

    @property
    def name(self) -> str:
        """Normalised."""
        return canonicalize_name(self.requirement.name)

    @property
    def exact(self) -> str:
        """The one version that it allows, or ""."""
        for specifier in self.requirement.specifier:
            if specifier.operator in {"==", "==="} and not specifier.version.endswith(".*"):
                return specifier.version
        return ""

    def allows(self, specifier: SpecifierSet) -> bool:
        """Whether something could be within both; True where only a resolver knows."""
        return not self.exact or specifier.contains(self.exact, prereleases=True)

    def __str__(self) -> str:
        return f"`{replace(self.statement, hashes=()).text}` ({self.statement.where})"


def holding(sources: Iterable[Constraints], environment: Mapping[str, str]) -> tuple[Bound, ...]:
    """The constraints that hold in an environment (marker variables, PEP 508).

    Raises:
        ConstraintsError: a line is not a constraint.
    """
    return tuple(
        Bound(line, requirement)
        for each in sources
        for line in each.lines
        if _holds(requirement := line.requirement(), environment)
    )


def refuse(
    lines: Sequence[str], folders: Sequence[Folder], bounds: Sequence[Bound], environment: Mapping[str, str]
) -> None:
    """Nothing, if the constraints and what is asked for directly can be had together.

    Args:
        lines: requirements; a comment behind one says where it stands.
        folders: local projects, whose static dependencies are looked at.
        bounds: the constraints that hold in the environment.
        environment: marker variables (PEP 508).

    Raises:
        ConstraintsError: they cannot; every pair that excludes one another is named.
    """
    by_name: dict[str, list[Bound]] = {}
    found = []
    for bound in bounds:
        others = by_name.setdefault(bound.name, [])
        found += [
            f"{bound} against {other}" for other in others if not other.allows(bound.requirement.specifier)
        ]
        others.append(bound)
    for requirement, where in asked(lines, folders):
        if _holds(requirement, environment):
            found += [
                f"`{requirement}` ({where}) against {bound}"
                for bound in by_name.get(canonicalize_name(requirement.name), ())
                if not bound.allows(requirement.specifier)
            ]
    if found:
        pairs = "\n".join(f"  {each}" for each in found)
        raise ConstraintsError(f"constraints exclude what is asked for:\n{pairs}\n{REMEDY}")


def refuse_pins(pins: Iterable[Pin], source: str, bounds: Sequence[Bound]) -> None:
    """Nothing, if a set that is decided already keeps within the constraints.

    Args:
        pins: the set.
        source: what decided it, for the message.
        bounds: the constraints that hold in the environment.

    Raises:
        ConstraintsError: a release is outside; each is named with its constraint.
    """
    by_name = {pin.name: pin for pin in pins}
    found = [
        f"`{pin.name} {pin.reference or '== ' + pin.version}` ({source}) against {bound}"
        for bound in bounds
        if (pin := by_name.get(bound.name)) is not None and not _within(pin, bound.requirement)
    ]
    if found:
        pairs = "\n".join(f"  {each}" for each in found)
        raise ConstraintsError(
            f"constraints exclude what the lock file decides:\n{pairs}\n"
            "Change the constraint, or lock again within it (or set installer = constraints, which needs no lock)."
        )


def _within(pin: Pin, requirement: Requirement) -> bool:
    if requirement.url:
        return pin.reference.partition("#")[0] == requirement.url.partition("#")[0]
    # A folder or a repository without a version is known only once it is built.
    return not pin.version or requirement.specifier.contains(pin.version, prereleases=True)


def explained(derivation: str, bounds: Sequence[Bound], found: Sequence[str] = ()) -> str:
    """Why there is no set with the constraints though there is one without them, both sides named where that is told.

    Args:
        derivation: of uv, or of pip.
        bounds: the constraints that hold in the environment.
        found: pairs that are known already.
    """
    pairs = [*found, *_needed(derivation, bounds)]
    taking_part = [
        f"{bound} takes part"
        for bound in bounds
        if re.search(rf"(?<![\w.-]){re.escape(bound.name)}(?![\w-])", derivation)
    ]
    told = "\n".join(f"  {each}" for each in dict.fromkeys(pairs or taking_part))
    return f"constraints exclude what is needed:\n{told}\n{derivation}\n{REMEDY}"


def _needed(derivation: str, bounds: Sequence[Bound]) -> list[str]:
    return [
        f"{found['who']}{found['version'] or ''} needs `{found['name']}{found['range']}`, and {bound} is not that"
        for found in NEEDS.finditer(derivation)
        for bound in bounds
        if bound.name == canonicalize_name(found["name"]) and not bound.allows(SpecifierSet(found["range"]))
    ]


def hold_hashes(pins: tuple[Pin, ...], bounds: Sequence[Bound]) -> tuple[Pin, ...]:
    """The pins with only those files that have a hash of their constraint, where that has some.

    Raises:
        ConstraintsError: no file of a release has one of the hashes.
    """
    by_name = {bound.name: bound for bound in bounds if bound.statement.hashes}
    return tuple(_held(pin, by_name[pin.name]) if pin.name in by_name else pin for pin in pins)


def _held(pin: Pin, bound: Bound) -> Pin:
    if not bound.exact or not pin.version or Version(bound.exact) != Version(pin.version):
        return pin
    wanted = set(bound.statement.hashes)
    files = tuple(file for file in pin.files if wanted & set(file.hashes))
    if not files:
        raise ConstraintsError(f"no file of {pin.name} {pin.version} in the index has a hash of {bound}")
    return replace(pin, files=files)


def asked(lines: Sequence[str], folders: Sequence[Folder]) -> Iterator[tuple[Requirement, str]]:
    """What is asked for directly, also by the folders as far as their pyproject.toml says, and where each stands."""
    for line in lines:
        text, _, where = line.partition(" #")
        try:
            yield Requirement(text.strip()), where.strip() or "the environment"
        except InvalidRequirement:
            continue  # a path or a URL, which has a version only once it is built
    for folder in folders:
        yield from declared(folder.path, frozenset(map(canonicalize_name, folder.extras)))


def _holds(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": ""})
