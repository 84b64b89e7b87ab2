"""The lines of `tool.pdm.dev-dependencies` that begin with `-e`, as requirements of PEP 508: the folder itself.

Used by `unlocked`, since a lock file says where such a folder is and pyproject.toml only in PDM's own words. No folder
is built or run; its name is in the line, or in its own pyproject.toml.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.urls import without_secrets

if TYPE_CHECKING:
    from pathlib import Path

    from tox_wheelfarm.locks.document import Table

LINE = re.compile(r"\s*(?:-e|--editable)[\s=]\s*(?P<place>[^\s#]+)(?:#(?P<fragment>\S*))?\s*")
ROOT = re.compile(r"(?:file:/{0,3})?\$\{PROJECT_ROOT\}/?")


def plain(project: Project) -> Project:
    """The project with these lines as every tool knows them.

    Raises:
        LockFileError: a line tells no name, and its folder has none.
    """
    pdm = project.tool("pdm")
    table = pdm.table("dev-dependencies")
    if not table.values:
        return project
    lines = {
        group: [_plain(line, table, project.root) for line in table.strings(group)] for group in table.values
    }
    tool = {**project.document["tool"], "pdm": {**pdm.values, "dev-dependencies": lines}}
    return replace(project, document={**project.document, "tool": tool})


def _plain(line: str, table: Table, root: Path) -> str:
    found = LINE.fullmatch(line)
    if not found:
        return line
    fragment = found["fragment"] or ""
    told = dict(part.partition("=")[::2] for part in fragment.split("&"))
    below = told.get("subdirectory", "")
    place, name = ROOT.sub("./", found["place"]), unquote(told.get("egg", ""))
    if "://" in place and not place.startswith("file:"):
        place += f"#subdirectory={below}" if below else ""
    else:
        path = unquote(urlsplit(place).path) if place.startswith("file:") else unquote(place)
        folder = (root / path / below).resolve()
        place, name = folder.as_uri(), name or Project.read(folder).name
    if not name:
        raise table.wrong(
            f"-e {without_secrets(found['place'])}: it tells no name; write #egg=NAME behind it"
        )
    return f"{name} @ {place}"
