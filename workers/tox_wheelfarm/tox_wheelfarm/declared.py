"""What a folder's pyproject.toml declares of its dependencies, each with where it stands.

Called by `clashes`. It never runs a build backend: a folder whose dependencies are dynamic declares nothing here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm.statements import MOST_BYTES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def declared(folder: Path, extras: frozenset[str]) -> Iterator[tuple[Requirement, str]]:
    """The static requirements of a project with so many of its extras (normalised), and where each stands.

    An extra that names others of the same project (`all = ["name[a,b]"]`) brings theirs. What cannot be read is
    left out: the build of the project says what is wrong with it.
    """
    path = folder / "pyproject.toml"
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES).decode("utf-8")
        project = tomllib.loads(text).get("project", {})
    except (OSError, ValueError):
        return
    if not isinstance(project, dict):
        return
    name = canonicalize_name(str(project.get("name", "")))
    for line in _chosen(project, name, extras):
        yield Requirement(line), f"{path}{_line(text, line)}"


def _chosen(project: Mapping[str, Any], name: str, extras: frozenset[str]) -> Iterator[str]:
    optional = project.get("optional-dependencies", {})
    optional = optional if isinstance(optional, dict) else {}
    by_extra = {canonicalize_name(extra): _lines(lines) for extra, lines in optional.items()}
    yield from (line for line in _lines(project.get("dependencies")) if _readable(line))
    waiting, seen = list(extras), set(extras)
    while waiting:
        for line in filter(_readable, by_extra.get(canonicalize_name(waiting.pop()), [])):
            requirement = Requirement(line)
            if canonicalize_name(requirement.name) != name:
                yield line
                continue
            new = {canonicalize_name(extra) for extra in requirement.extras} - seen
            seen |= new
            waiting += new


def _lines(value: Any) -> list[str]:
    return [line for line in value if isinstance(line, str)] if isinstance(value, list) else []


def _readable(line: str) -> bool:
    try:
        Requirement(line)
    except InvalidRequirement:
        return False
    return True


def _line(text: str, wanted: str) -> str:
    for number, line in enumerate(text.splitlines(), 1):
        if wanted in line:
            return f" line {number}"
    return ""
