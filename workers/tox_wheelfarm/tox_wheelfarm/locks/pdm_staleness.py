"""Whether a pdm.lock was made for the pyproject.toml that is there, and if not, what differs.

Called by `pdm`. The hash that pdm writes decides; the sentences explain. It never asks an index.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.locks.contents import MAIN
from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.pdm_package import group
from tox_wheelfarm.locks.pdm_project import asked
from tox_wheelfarm.locks.poetry_staleness import bounded, compared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tox_wheelfarm.locks.contents import Contents
    from tox_wheelfarm.locks.poetry_project import Asked
    from tox_wheelfarm.locks.project import Project


def differences(lock: Entry, contents: Contents, project: Project) -> tuple[str, ...]:
    """What differs, one sentence each; none when any generation of pdm would find it fresh."""
    metadata = lock.table("metadata")
    algorithm, _, digest = metadata.text("content_hash").partition(":")
    if digest in content_hashes(project.document, algorithm):
        return ()
    now = asked(project.document)
    locked = {group(name, metadata) for name in metadata.texts("groups")}
    told = list(_groups(lock.file, locked, now)) + list(compared(contents, _only(now, locked)))
    if not told:
        told = [
            f"{lock.file} was made for another pyproject.toml (its content_hash differs): run `pdm lock`."
        ]
    return bounded(told)


def content_hashes(document: Mapping[str, Any], algorithm: str) -> frozenset[str]:
    """The hashes that the generations of pdm give this pyproject.toml; none for an algorithm that is not theirs."""
    if algorithm not in {"sha256", "md5"}:
        return frozenset()
    whole = Entry("pyproject.toml", "", document)
    project, pdm = whole.table("project").data, whole.table("tool", "pdm").data
    first = {
        "sources": pdm.get("source", []),
        "dependencies": project.get("dependencies", []),
        "dev-dependencies": pdm.get("dev-dependencies", {}),
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
    }
    resolution = pdm.get("resolution", {})
    overrides = resolution.get("overrides", {}) if isinstance(resolution, dict) else {}
    found = [
        {**first, "overrides": pdm.get("overrides", {})},
        {**first, "overrides": overrides},
        {**first, "resolution": resolution},
        {**first, "dev-dependencies": _developing(whole), "resolution": resolution},
    ]
    return frozenset(_hash(one, algorithm) for one in found)


def _developing(whole: Entry) -> dict[str, list[Any]]:
    """Both tables of development groups together, as pdm hashes them: as written."""
    found: dict[str, list[Any]] = {}
    standard = whole.table("dependency-groups")
    for name, lines in standard.data.items():
        found[normalised(name, standard)] = list(lines) if isinstance(lines, list) else []
    older = whole.table("tool", "pdm", "dev-dependencies")
    for name in older.data:
        found.setdefault(normalised(name, older), []).extend(older.texts(name))
    return found


def _groups(file: str, locked: set[str], now: Asked) -> Iterator[str]:
    known = {*now.groups, *now.extras, MAIN}
    for name in sorted(locked - known):
        yield f"{file} was made for the group {name!r}, which pyproject.toml does not have any more."


def _only(now: Asked, locked: set[str]) -> Asked:
    """What the lock was made for: a group that was left out of it on purpose is no difference."""
    if locked:
        now.groups = {name: edges for name, edges in now.groups.items() if name in locked}
        now.extras = {name: edges for name, edges in now.extras.items() if name in locked}
    return now


def _hash(tables: Mapping[str, Any], algorithm: str) -> str:
    text = json.dumps(tables, sort_keys=True, default=str).encode()
    # Not for safety: it is what the tool wrote, and only tells whether a file has changed.
    return hashlib.new(algorithm, text, usedforsecurity=False).hexdigest()
