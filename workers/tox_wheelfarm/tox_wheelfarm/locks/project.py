"""What a project says of its dependencies, as far as a lock file can be held against it.

Read from pyproject.toml (its `project`, `dependency-groups`, `tool.poetry`, `tool.pdm` tables) or a Pipfile. It never
runs a build backend: what is dynamic is unknown, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Project:
    """A project's folder and what its pyproject.toml and Pipfile hold, parsed.

    Attributes:
        root: the folder.
        document: pyproject.toml, parsed; empty without one.
        pipfile: the Pipfile, parsed; empty without one.
    """

    root: Path
    document: Mapping[str, Any] = field(default_factory=dict)
    pipfile: Mapping[str, Any] = field(default_factory=dict)
