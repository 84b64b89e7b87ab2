"""The workspace of uv that a project belongs to: its root, and the folders of its members.

Called by `uv_sources`. The rules are uv's: the nearest folder above that has a workspace is the only one that can be
meant. It reads pyproject.toml files and nothing else, and never runs uv.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tox_wheelfarm.locks import document
from tox_wheelfarm.locks.project import Project

if TYPE_CHECKING:
    from tox_wheelfarm.locks.document import Table

MOST = 1000
"""Folders that are looked into; uv itself becomes slow with fewer."""


class Workspace(NamedTuple):
    """A workspace.

    Attributes:
        root: the project in the folder that has it.
        folders: of its members, the root's own first.
    """

    root: Project
    folders: tuple[Path, ...]

    def members(self) -> dict[str, Path]:
        """The folders of its members by normalised name.

        Raises:
            LockFileError: the pyproject.toml of one is no TOML.
        """
        there = [path for path in self.folders[:MOST] if (path / "pyproject.toml").is_file()]
        named = {Project.read(path).name: path for path in reversed(there)}
        return {name: path for name, path in named.items() if name}


def of(project: Project) -> Workspace | None:
    """The workspace of a project; None where it belongs to none.

    Raises:
        LockFileError: a pyproject.toml above is no TOML, or its workspace is none.
    """
    here = project.root.absolute()
    for folder in (here, *here.parents):
        root = project if folder == here else _above(folder)
        uv = root.tool("uv")
        if "workspace" in uv:
            folders = (folder, *_folders(uv.table("workspace"), folder))
            return Workspace(root, folders) if here.resolve() in {folder.resolve(), *folders} else None
    return None


def _above(folder: Path) -> Project:
    # Whose file it is nobody knows: only what speaks of a workspace is our affair.
    path = folder / "pyproject.toml"
    speaks = path.is_file() and b"workspace" in document.contents(path)
    return Project(folder, document.toml(path, document.contents(path)).values if speaks else {})


def _folders(table: Table, folder: Path) -> list[Path]:
    excluded = {path for pattern in table.strings("exclude") for path in _matching(table, folder, pattern)}
    found = [path for pattern in table.strings("members") for path in _matching(table, folder, pattern)]
    return [path for path in dict.fromkeys(found) if path not in excluded]


def _matching(table: Table, folder: Path, pattern: str) -> list[Path]:
    try:
        # Of a pattern that leads upwards pathlib keeps the `..`.
        return sorted(path.resolve() for path in folder.glob(pattern))
    except (ValueError, NotImplementedError, IndexError):
        raise table.wrong(f"has {pattern[:80]!r}, which is no pattern of folders", "members") from None
