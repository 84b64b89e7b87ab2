"""pdm.lock: flat with groups and markers (`inherit_metadata`), or a graph that is followed from pyproject.toml.

Chosen by `files`. It never needs pdm, and knows the generations from lock_version 3 (a table of files apart) on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.digests import digests
from tox_wheelfarm.locks import pdm_staleness
from tox_wheelfarm.locks.contents import MAIN, Contents
from tox_wheelfarm.locks.entry import Entry, toml, toml_file
from tox_wheelfarm.locks.graph import Graph
from tox_wheelfarm.locks.pdm_package import group, releases
from tox_wheelfarm.locks.pdm_project import asked
from tox_wheelfarm.locks.pdm_targets import refuse_others

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.pin import Pin, PinnedFile
    from tox_wheelfarm.locks.poetry_project import Asked
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


@dataclass(frozen=True)
class PdmLock:
    """A pdm.lock that has been read.

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
    format: str = "pdm"
    options: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, data: bytes, document: Mapping[str, Any] | None = None) -> PdmLock:
        """Read it.

        Args:
            path: where it was.
            data: its bytes.
            document: pyproject.toml, parsed; by default the one beside it is read, if there is one.

        Raises:
            LockFileError: it is no pdm.lock, or one of a generation that is not known.
        """
        whole = toml(path.name, data)
        metadata = whole.table("metadata")
        generation = metadata.text("lock_version")
        if generation.split(".")[0] not in {"3", "4"}:
            shown = repr(generation[:20]) if generation else "none"
            raise metadata.wrong(
                f"lock_version is {shown}; 3.x and 4.x are known: lock again with a pdm of today"
            )
        flat = "inherit_metadata" in metadata.texts("strategy")
        found = releases(whole.tables("package"), path.parent, _apart(metadata), grouped=flat)
        project = _project(path.parent, document)
        graph = Graph(path.name, found, project.own if project else "")
        return cls(
            path, hashlib.sha256(data).hexdigest(), whole, _contents(metadata, graph, project, flat=flat)
        )

    @property
    def beside(self) -> Mapping[str, str]:
        """Its own pyproject.toml, which need not be in the project's folder."""
        return digests([self.path.parent / "pyproject.toml"])

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for this interpreter and wish, by name; see `Contents.select` for what it raises.

        Raises:
            LockFileError: it was made for other targets (`pdm lock --platform …`) as well.
        """
        refuse_others(self.lock.table("metadata"), target)
        return self.contents.select(target.environment, wish)

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of pyproject.toml it was not made for, one sentence each; none when pdm finds it fresh.

        Raises:
            LockFileError: pyproject.toml is not what pdm takes.
        """
        return pdm_staleness.differences(self.lock, self.contents, project)


def _apart(metadata: Entry) -> dict[str, tuple[PinnedFile, ...]]:
    """`[metadata.files]` of the older generations: `name version` to files."""
    table = metadata.table("files")
    return {name: table.files(name) for name in table.data}


def _project(root: Path, document: Mapping[str, Any] | None) -> Asked | None:
    if document is not None:
        return asked(document)
    beside = root / "pyproject.toml"
    return asked(toml_file(beside).data) if beside.is_file() else None


def _contents(metadata: Entry, graph: Graph, project: Asked | None, *, flat: bool) -> Contents:
    locked = {group(name, metadata) for name in metadata.texts("groups")}
    extras = locked & set(project.extras) if project else locked - {MAIN}
    groups = locked - extras if project else locked
    if project and not locked:
        # The oldest generations lock everything, and do not say so.
        extras, groups = set(project.extras), set(project.groups)
    return Contents(
        graph=graph,
        flat=flat,
        groups=frozenset(groups | {MAIN}),
        extras=frozenset(extras),
        asked=project,
        extras_are_groups=True,
    )
