"""Which releases of a set are withdrawn (yanked, PEP 592), from the last index data that is at hand.

Called by `resolution` and the installer. uv says it of what it resolves, from its own cache and so without the network
as well; an index is asked only where that is allowed. It never decides whether a withdrawn release may be installed.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tox_wheelfarm.locks.pin import Pin

WARNING = re.compile(
    r"^warning: `(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^`\s]+)` is yanked(?: \(reason: \"(?P<reason>.*)\"\))?",
    re.MULTILINE,
)
"""How uv warns; its answer's `said` holds these."""

LONGEST_REASON = 1000


def told(pins: Iterable[Pin], said: str) -> tuple[Pin, ...]:
    """The pins, those marked that uv warned of in what it said (on stderr)."""
    reasons: dict[tuple[str, str], str] = {
        (canonicalize_name(found["name"]), found["version"]): (found["reason"] or "")[:LONGEST_REASON]
        for found in WARNING.finditer(said)
    }
    return tuple(
        replace(pin, yanked=reasons[pin.name, pin.version]) if (pin.name, pin.version) in reasons else pin
        for pin in pins
    )
