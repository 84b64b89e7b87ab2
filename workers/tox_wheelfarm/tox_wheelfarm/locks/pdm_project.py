"""What a project that uses pdm asks for: `project`, `dependency-groups` and `tool.pdm.dev-dependencies`.

Read by `pdm`, from the pyproject.toml beside the lock file or from a `Project`. It never runs pdm or a build backend.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.locks.contents import MAIN
from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.poetry_project import Asked, included, requirement, unfold

if TYPE_CHECKING:
    from collections.abc import Mapping

EDITABLE = re.compile(
    r"(?:-e|--editable)[ =]\s*(?P<url>\S+?)(?:#egg=(?P<egg>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]*)\])?\S*)?\s*"
)


def asked(document: Mapping[str, Any]) -> Asked:
    """Read pyproject.toml's tables.

    Raises:
        LockFileError: they are not what pdm takes.
    """
    whole = Entry("pyproject.toml", "", document)
    project = whole.table("project")
    name = project.text("name")
    found = Asked(own=normalised(name, whole) if name else "", python=project.text("requires-python") or "*")
    here = Entry(whole.file, "project", {})
    found.groups[MAIN] = tuple(requirement(line, here) for line in project.texts("dependencies"))
    optional = project.table("optional-dependencies")
    for extra in optional.data:
        found.extras[normalised(extra, optional)] = tuple(
            requirement(line, here) for line in optional.texts(extra)
        )
    unfold(found)
    tables = developing(whole)
    for group in tables:
        found.groups[group] = tuple(included(group, tables, whole.table("dependency-groups")))
    return found


def developing(whole: Entry) -> dict[str, list[Any]]:
    """The development groups by normalised name, the lines of both tables together, as they are written.

    Lines of `tool.pdm.dev-dependencies` that begin with `-e` become PEP 508 requirements, or are left out when they
    do not tell a name.
    """
    found: dict[str, list[Any]] = {}
    standard = whole.table("dependency-groups")
    for name, lines in standard.data.items():
        found[normalised(name, standard)] = list(lines) if isinstance(lines, list) else lines
    older = whole.table("tool", "pdm", "dev-dependencies")
    for name in older.data:
        lines = [_plain(line) for line in older.texts(name)]
        found.setdefault(normalised(name, older), []).extend(line for line in lines if line)
    return found


def _plain(line: str) -> str:
    editable = EDITABLE.fullmatch(line)
    if not editable:
        return line
    extras = f"[{editable['extras']}]" if editable["extras"] else ""
    return f"{editable['egg']}{extras}" if editable["egg"] else ""
