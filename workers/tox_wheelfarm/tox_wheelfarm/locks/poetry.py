"""poetry.lock, of every generation: 1.0 and 1.1, 2.0 (a file list per package), 2.1 (groups and markers per package).

Chosen by `files`. From 2.1 on the lock says itself what is for which group and environment; before that the
requirements of pyproject.toml are followed through it. It never needs poetry.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.digests import digests
from tox_wheelfarm.locks import poetry_staleness
from tox_wheelfarm.locks.condition import pythons
from tox_wheelfarm.locks.contents import MAIN, Contents
from tox_wheelfarm.locks.entry import Entry, normalised, toml, toml_file
from tox_wheelfarm.locks.graph import Graph, Release, by_name
from tox_wheelfarm.locks.poetry_package import files_apart, hashes_apart, release
from tox_wheelfarm.locks.poetry_project import Asked, asked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


@dataclass(frozen=True)
class PoetryLock:
    """A poetry.lock that has been read.

    Attributes:
        path: where.
        sha256: of its bytes, hexadecimal.
        lock: the whole file.
        contents: what it holds.
    """

    path: Path
    sha256: str
    lock: Entry
    contents: Contents
    format: str = "poetry"
    options: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, data: bytes, document: Mapping[str, Any] | None = None) -> PoetryLock:
        """Read it.

        Args:
            path: where it was.
            data: its bytes.
            document: pyproject.toml, parsed; by default the one beside it is read, if there is one.

        Raises:
            LockFileError: it is no poetry.lock, or one of a generation that is not known.
        """
        whole = toml(path.name, data)
        metadata = whole.table("metadata")
        if "content-hash" not in metadata.data:
            raise whole.wrong("it has no metadata.content-hash, so poetry did not write it")
        generation = metadata.text("lock-version", "1.0")
        if generation.split(".")[0] not in {"1", "2"}:
            raise metadata.wrong(f"lock-version {generation[:20]!r} is not known (1.0 to 2.x are)")
        grouped = generation.startswith("2.") and generation != "2.0"
        releases = _releases(whole, path.parent, grouped=grouped)
        project = _project(path.parent, document)
        graph = Graph(path.name, releases, project.own if project else "", marked=generation == "1.0")
        contents = _contents(whole, graph, project, grouped=grouped)
        return cls(path, hashlib.sha256(data).hexdigest(), whole, contents)

    @property
    def beside(self) -> Mapping[str, str]:
        """Its own pyproject.toml, which need not be in the project's folder."""
        return digests([self.path.parent / "pyproject.toml"])

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for this interpreter and wish, by name; see `Contents.select` for what it raises."""
        return self.contents.select(target.environment, wish)

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of pyproject.toml it was not made for, one sentence each; none when poetry finds it fresh.

        Raises:
            LockFileError: pyproject.toml is not what poetry takes.
        """
        return poetry_staleness.differences(self.lock, self.contents, project)


def _releases(whole: Entry, root: Path, *, grouped: bool) -> dict[str, tuple[Release, ...]]:
    metadata = whole.table("metadata")
    apart = files_apart(metadata.table("files")) or hashes_apart(metadata.table("hashes"))
    return by_name(release(entry, root, apart, grouped=grouped) for entry in whole.tables("package"))


def _project(root: Path, document: Mapping[str, Any] | None) -> Asked | None:
    if document is not None:
        return asked(document, root)
    beside = root / "pyproject.toml"
    return asked(toml_file(beside).data, root) if beside.is_file() else None


def _contents(whole: Entry, graph: Graph, project: Asked | None, *, grouped: bool) -> Contents:
    extras = whole.table("extras")
    metadata = whole.table("metadata")
    groups = {name for ones in graph.releases.values() for one in ones for name in one.groups or {}}
    return Contents(
        graph=graph,
        flat=grouped,
        groups=frozenset(groups | {MAIN} | set(project.groups if project else ())),
        extras=frozenset(
            {normalised(name, extras) for name in extras.data} | set(project.extras if project else ())
        ),
        asked=project,
        pythons=pythons(metadata.text("python-versions", "*"), metadata),
    )
