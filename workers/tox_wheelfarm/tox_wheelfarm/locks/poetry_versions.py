"""Ranges of versions, in PEP 440's words or in poetry's (`^1.2`, `~1.2`, `1.*`, `>=1,<2 || >3`).

Used for every range in poetry.lock, pdm.lock and the tables of pyproject.toml. A range never decides on a version by
itself, and never has opinions on pre-releases: the lock has decided, so one that lies between the ends is in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

LONGEST = 4000
ONE = re.compile(r"(\^|~=|~|===|==|!=|<=|>=|<>|<|>|=)?\s*([A-Za-z0-9*][A-Za-z0-9.*+!_-]*)")
AROUND = ", \t\r\n"
PIPES = re.compile(r"\|\|?")


@dataclass(frozen=True)
class Versions:
    """A union of ranges.

    Attributes:
        text: as it was written.
        ranges: a version is in when it is in any of these.
    """

    text: str
    ranges: tuple[SpecifierSet, ...]

    def __contains__(self, version: str) -> bool:
        return any(one.contains(version, prereleases=True) for one in self.ranges)


@lru_cache(maxsize=8192)
def versions(text: str) -> Versions:
    """A range, parsed.

    Raises:
        ValueError: it is neither PEP 440 nor poetry's dialect.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a range of {len(text)} characters")
    try:
        return Versions(text, tuple(_range(part) for part in PIPES.split(text)))
    except (InvalidSpecifier, InvalidVersion) as wrong:
        raise ValueError(str(wrong)) from None


ANY = Versions("*", (SpecifierSet(),))
"""No bound at all."""


def _range(text: str) -> SpecifierSet:
    bounds: list[str] = []
    rest = text.strip(AROUND)
    while rest:
        found = ONE.match(rest)
        if not found:
            raise ValueError(f"{text[:80]!r} is no range of versions")
        bounds.extend(_bounds(found[1] or "", found[2]))
        rest = rest[found.end() :].lstrip(AROUND)
    return SpecifierSet(",".join(bounds))


def _bounds(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    if operator == "^":
        return [f">={version}", f"<{_caret(Version(version))}"]
    if operator == "~":
        return [f">={version}", f"<{_tilde(Version(version))}"]
    if operator in {"", "=", "=="}:
        return [f"=={version}"]
    if operator == "<>":
        return [f"!={version}"]
    if operator in {"<", "<=", ">", ">="}:
        # Poetry takes `>=3.*` for `>=3`; PEP 440 has no such thing.
        version = version.removesuffix(".*")
    return [f"{operator}{version}"]


def _caret(version: Version) -> str:
    """The next version that may break: the leftmost part that is not zero, or the last one given, goes up."""
    parts = version.release
    place = next((number for number, part in enumerate(parts) if part), len(parts) - 1)
    return _up(version, place)


def _tilde(version: Version) -> str:
    return _up(version, 0 if len(version.release) == 1 else 1)


def _up(version: Version, place: int) -> str:
    parts = [*version.release[:place], version.release[place] + 1]
    return f"{version.epoch}!{'.'.join(map(str, parts))}"
