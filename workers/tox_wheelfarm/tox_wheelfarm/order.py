"""What tox asked for in one setup of an environment, gathered from all its phases.

Filled by the installer as tox calls it (deps, dependency groups, package), and settled once. Nothing is installed
while it is being filled, so that the environment ends as exactly what was asked for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.deps import Deps

if TYPE_CHECKING:
    from tox_wheelfarm.artifact import Artifact


@dataclass
class Order:
    """What was asked for so far.

    Attributes:
        lines: the content of `deps`.
        groups: names of dependency groups.
        older_groups: those of them (normalised) that Poetry, PDM, uv or a Pipfile has, where no lock file decides.
        group_requirements: what these hold by pyproject.toml (PEP 508).
        package_requirements: what the project needs, where only that is wanted (`package = deps-only`).
        artifacts: the project, built.
        deps_only: whether `package = deps-only` was asked for.
        extras: of the project, normalised.
    """

    lines: Deps = field(default_factory=Deps)
    groups: frozenset[str] = frozenset()
    older_groups: frozenset[str] = frozenset()
    group_requirements: tuple[str, ...] = ()
    package_requirements: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    deps_only: bool = False
    extras: frozenset[str] = frozenset()


def fingerprint(*parts: Any) -> str:
    """A hexadecimal SHA-256 of anything that JSON can write; equal for equal things, whatever the order of sets."""
    text = json.dumps(parts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(part: Any) -> Any:
    if isinstance(part, (set, frozenset)):
        return sorted(part, key=str)
    if hasattr(part, "items"):
        return dict(part.items())
    return str(part)
