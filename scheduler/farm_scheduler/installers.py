"""How the packages of a cell are decided: the words of that axis, and the lock files by which a project has them.

Used by planning and by the doors that take the words from people. It reads names and texts that are there already, and
never a lock file itself: the machine does that.
"""

import re
from enum import StrEnum

from farm_scheduler.project_files import ProjectFiles


class Installer(StrEnum):
    """What decides which releases a cell's environments have."""

    PROJECT = "project"
    """Whatever the project's own tox settings say: the farm changes nothing."""
    LOCKFILE = "lockfile"
    """The project's lock file, by hash; nothing is resolved."""
    CONSTRAINTS = "constraints"
    """The newest releases that a file of constraints allows."""
    LATEST = "latest"
    """The newest releases that the requirements allow."""
    LOWEST = "lowest"
    """The oldest releases that the project's own requirements allow, and the newest of what those need."""


WORDS = tuple(each.value for each in Installer)

_LOCKS = ("pylock.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
_NAMED = re.compile(r"pylock\.[^./]+\.toml")
"""A lock file with a name of its own (pylock.toml specification, "File name")."""
_REQUIREMENTS = re.compile(r"requirements[^/]*\.txt")
_HASH = "--hash="


def lock_file(files: ProjectFiles) -> str | None:
    """The lock file in the project's folder that is taken unless the project names one; None without one.

    Of files of requirements, those with hashes; one that is too long to be read in planning has them for sure.
    """
    there = sorted(files.names | set(files.texts))
    named = [name for name in there if _NAMED.fullmatch(name)]
    return next((name for name in (_LOCKS[0], *named, *_LOCKS[1:]) if name in there), None) or next(
        (name for name in there if _REQUIREMENTS.fullmatch(name) and _hashed(files.text(name))), None
    )


def _hashed(text: str | None) -> bool:
    return text is None or _HASH in text
