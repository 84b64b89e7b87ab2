"""What an environment asks of a lock file.

Made by the runner from the environment's settings, read by every format. It never names versions: the lock decides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """What is asked for.

    Attributes:
        project: the project's own (run-time) dependencies (`install_project_deps`).
        extras: extras of the project, normalised.
        groups: dependency groups by name (`dependency_groups`, `poetry_dep_groups`; categories of a Pipfile.lock).
        dev: every development dependency the lock has (`install_dev_deps`).
        names: `locked_deps`: these and whatever they need, normalised; not in the lock: LockedDepNotFoundError.
    """

    project: bool = True
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    dev: bool = False
    names: tuple[str, ...] = ()
