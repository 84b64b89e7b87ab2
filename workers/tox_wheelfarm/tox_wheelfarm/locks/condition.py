"""When an entry of a lock file is for an environment: its markers, and the Pythons it is for.

Made by the formats as they read, asked for each target. It never looks at the process's own interpreter: everything
it asks comes from the target.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import canonicalize_name

from tox_wheelfarm.locks.poetry_versions import Versions, versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tox_wheelfarm.locks.entry import Entry

LONGEST = 20_000
EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*(["'])([^"']*)\2""")
ARTXE = re.compile(r"""(["'])([^"']*)\1\s*(==|!=)\s*extra\b(?!s)""")


@dataclass(frozen=True)
class Condition:
    """Markers, all of which must hold, and ranges that Python's version must be in.

    Attributes:
        text: as it was written, for messages.
        markers: PEP 508, with `extra == "x"` asked of the set of extras that are wanted.
        pythons: of `python_full_version`.
    """

    text: str = ""
    markers: tuple[Marker, ...] = ()
    pythons: tuple[Versions, ...] = ()

    def holds(self, environment: Mapping[str, str], extras: frozenset[str] = frozenset()) -> bool:
        """Whether it is for this environment (the variables of PEP 508) with these extras (normalised)."""
        python = environment["python_full_version"].rstrip("+")
        if not all(python in one for one in self.pythons):
            return False
        known: dict[str, str | frozenset[str]] = {**environment, "extra": "", "extras": extras}
        return all(one.evaluate(known, context="lock_file") for one in self.markers)

    def __and__(self, other: Condition) -> Condition:
        text = " and ".join(f"({one})" if " or " in one else one for one in (self.text, other.text) if one)
        return Condition(text, self.markers + other.markers, self.pythons + other.pythons)


ALWAYS = Condition()
"""For every environment."""


def marker(text: str, entry: Entry) -> Condition:
    """A marker of PEP 508; always, when it is empty.

    Raises:
        LockFileError: it is no marker, or compares what cannot be compared.
    """
    if not text or text == "*":
        return ALWAYS
    if len(text) > LONGEST:
        raise entry.wrong(f"a marker of {len(text)} characters")
    sets = ARTXE.sub(lambda found: _membership(found[3], found[2]), text)
    sets = EXTRA.sub(lambda found: _membership(found[1], found[3]), sets)
    try:
        parsed = Marker(sets)
        # A comparison of versions that are none is only found by comparing.
        parsed.evaluate({"extra": "", "extras": frozenset()}, context="lock_file")
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName, RecursionError):
        raise entry.wrong(f"the marker {text[:120]!r} is no marker (PEP 508)") from None
    return Condition(text, (parsed,))


def pythons(text: str, entry: Entry) -> Condition:
    """A range of Python versions; always, when it is empty or `*`.

    Raises:
        LockFileError: it is no range.
    """
    if text in {"", "*"}:
        return ALWAYS
    try:
        return Condition(f"python {text}", (), (versions(text),))
    except ValueError:
        raise entry.wrong(f"{text[:120]!r} is no range of Python versions") from None


def _membership(operator: str, extra: str) -> str:
    word = "in" if operator == "==" else "not in"
    return f'"{canonicalize_name(extra)}" {word} extras'
