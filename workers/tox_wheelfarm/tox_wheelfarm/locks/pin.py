"""One release that a lock file or a resolution decided on, for one interpreter.

Made by the formats and by `resolution`, installed by the installer. Never a range: it is exact, or a direct reference.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PinnedFile:
    """A file of a release.

    Attributes:
        name: its file name, or "" where the lock has hashes only (Pipfile.lock, requirements).
        hashes: `algorithm:hexdigest`, at least one unless the lock has none.
        url: where it was, or "".
    """

    name: str
    hashes: tuple[str, ...]
    url: str = ""


@dataclass(frozen=True)
class Pin:
    """A release, decided.

    Attributes:
        name: normalised (PEP 503).
        version: exact (PEP 440), or "" for a direct reference without one.
        files: what may be installed for it, any of these; none for a folder or a repository.
        reference: a direct reference (PEP 508 URL, `git+…@commit`, a folder's path), or "" for a release of an index.
        editable: whether a folder is installed in place.
        subdirectory: below a repository or archive, or "".
        extras: extras of it that are asked for.
        requires: normalised names that it needs here, where the lock tells; None where it does not.
        yanked: why it was withdrawn ("" without a reason), or None if it was not or nobody knows.
        index: the simple index that it was locked from, or "" where the lock does not tell.
    """

    name: str
    version: str
    files: tuple[PinnedFile, ...] = ()
    reference: str = ""
    editable: bool = False
    subdirectory: str = ""
    extras: frozenset[str] = frozenset()
    requires: tuple[str, ...] | None = None
    yanked: str | None = None
    index: str = ""

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of all its files, without doubles, in order."""
        return tuple(dict.fromkeys(digest for file in self.files for digest in file.hashes))
