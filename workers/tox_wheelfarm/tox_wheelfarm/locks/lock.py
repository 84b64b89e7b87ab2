"""What every format of lock file can do, and nothing more.

Implemented once per format in this folder; chosen by `files`. A lock never asks an index and never resolves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


class Lock(Protocol):
    """A lock file that has been read and found well-formed."""

    @property
    def path(self) -> Path:
        """Where it was read."""

    @property
    def format(self) -> str:
        """`pylock`, `uv`, `poetry`, `pdm`, `pipfile` or `requirements`."""

    @property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of the file's bytes."""

    @property
    def options(self) -> tuple[str, ...]:
        """Where its files are and which of them are meant, as lines of a requirements file; most say no such thing."""

    @property
    def beside(self) -> Mapping[str, str]:
        """Other files that decide what it gives and whether it is fresh, there or not: their `digests.digest` by path.

        It is of what was read of them, or of a moment before that if they are read later (`differences`).
        """

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for this interpreter and wish, by name.

        Raises:
            LockedDepNotFoundError, ExtraNotFoundError: something that is asked for is not in it.
            LockFileError: what is selected is not exact (`*`, two versions of one name), or its edges are not told
                and `names` needs them.
        """

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of pyproject.toml (or the Pipfile) it was not made for, one sentence each; none when it is fresh."""
