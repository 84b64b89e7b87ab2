"""Environment markers, decided for one target.

Called by the formats. It never looks at the process's own interpreter: every variable comes from the target.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.markers import Marker, UndefinedEnvironmentName
from packaging.specifiers import SpecifierSet

from tox_wheelfarm.locks.trust import DistrustError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tox_wheelfarm.locks.target import Target

EXTRA = re.compile(r"""\bextra\s*(==|!=)\s*("[^"]*"|'[^']*')""")
"""`extra == "x"` asks whether x is among the extras; packaging can ask that of a set only as `"x" in extras`."""


class Conditions:
    """Markers for one target and one set of extras, each decided once.

    Attributes:
        extras: what `extra == …` is true for; several at a time, as in a lock with declared conflicts.
    """

    def __init__(self, target: Target, extras: Iterable[str] = ()) -> None:
        self.extras = frozenset(extras)
        self._environment: dict[str, str | frozenset[str]] = {
            **target.environment,
            "extras": self.extras,
            "dependency_groups": frozenset(),
        }
        self._decided: dict[str, bool] = {"": True}

    def hold(self, marker: str) -> bool:
        """Whether a marker is true; an empty one is.

        Raises:
            DistrustError: it is none, or cannot be decided.
        """
        if marker not in self._decided:
            self._decided[marker] = self._decide(marker)
        return self._decided[marker]

    def _decide(self, marker: str) -> bool:
        try:
            return parsed(marker).evaluate(self._environment, context="lock_file")
        except (ValueError, KeyError, RecursionError, UndefinedEnvironmentName) as wrong:
            raise DistrustError(f"the marker {marker[:200]!r} cannot be decided: {wrong}") from wrong


@lru_cache(maxsize=16384)
def parsed(marker: str) -> Marker:
    """A marker whose `extra` is a question to a set.

    Raises:
        ValueError, RecursionError: it is no marker.
    """
    return Marker(EXTRA.sub(_of_a_set, marker))


def python_fits(target: Target, requires_python: str) -> bool:
    """Whether the target's Python satisfies a specifier; an empty one always is.

    Pre-releases count: who tests with 3.15.0b1 wants to know.
    """
    version = target.environment["python_full_version"]
    version = version + "local" if version.endswith("+") else version
    return SpecifierSet(requires_python).contains(version, prereleases=True)


def _of_a_set(found: re.Match[str]) -> str:
    return f"{found[2]} {'in' if found[1] == '==' else 'not in'} extras"
