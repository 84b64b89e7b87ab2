"""Whether a poetry.lock was made for the pyproject.toml that is there, and if not, what differs.

Called by `poetry`. The hash that poetry writes decides; the sentences explain. It never asks an index whether newer
releases exist: a lock is not stale for being old.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from tox_wheelfarm.locks.contents import MAIN
from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.poetry_project import asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tox_wheelfarm.locks.contents import Contents
    from tox_wheelfarm.locks.graph import Edge
    from tox_wheelfarm.locks.poetry_project import Asked
    from tox_wheelfarm.locks.project import Project

OLD = ("dependencies", "dev-dependencies", "source", "extras")
"""What every generation hashes, absent or not."""

STANDARD = ("requires-python", "dependencies", "optional-dependencies")
MOST = 50
"""Sentences that are shown; the rest is counted."""


def differences(lock: Entry, contents: Contents, project: Project) -> tuple[str, ...]:
    """What differs, one sentence each; none when any generation of poetry would find it fresh."""
    metadata = lock.table("metadata")
    if metadata.text("content-hash") in content_hashes(project.document):
        return ()
    now = asked(project.document, project.root)
    told = [*_python(metadata, now), *_extras(lock, now), *compared(contents, now)]
    if not told:
        told = [
            (
                f"{lock.file} was made for another pyproject.toml: its content-hash differs, although it has a fitting "
                "release for all that is asked for now. A range, a marker, a source or an order was changed in what "
                f"poetry hashes ({', '.join(_hashed(project))}): run `poetry lock`."
            )
        ]
    return bounded(told)


def _hashed(project: Project) -> list[str]:
    """The tables and keys that are there of those that the hash is made of."""
    whole = Entry("pyproject.toml", "", project.document)
    poetry = whole.table("tool", "poetry").data
    found = [f"project.{key}" for key in STANDARD if key in whole.table("project").data]
    found += [f"tool.poetry.{key}" for key in (*OLD, "group") if key in poetry]
    return [*found, *(["dependency-groups"] if whole.table("dependency-groups").data else [])]


def content_hashes(document: Mapping[str, Any]) -> frozenset[str]:
    """The hashes that the generations of poetry give this pyproject.toml (1.0 and 1.1; 1.2 to 2.1; from 2.2 on)."""
    whole = Entry("pyproject.toml", "", document)
    poetry, project = whole.table("tool", "poetry").data, whole.table("project").data
    groups = whole.table("dependency-groups").data
    first = {key: poetry.get(key) for key in OLD}
    grouped = {**first, **({"group": poetry["group"]} if poetry.get("group") is not None else {})}
    standard = {key: project[key] for key in STANDARD if project.get(key) is not None}
    # Tables of PEP 621 are not hashed in the old way by any poetry that knows them.
    found: list[Mapping[str, Any]] = [] if standard else [first, grouped]
    for known in ({}, groups):
        tables: dict[str, Any] = {**({"project": standard} if standard else {})}
        tables.update({"dependency-groups": known} if known else {})
        if tables:
            present = {key: poetry[key] for key in (*OLD, "group") if poetry.get(key) is not None}
            found.append({**tables, "tool": {"poetry": present}})
    return frozenset(_hash(one) for one in found)


def compared(contents: Contents, now: Asked) -> Iterator[str]:
    """What requirements ask for and the lock does not have, and what it has and nothing asks for."""
    file, releases = contents.graph.file, contents.graph.releases
    for place, edges in (*_named(now.groups, "group"), *_named(now.extras, "extra")):
        for edge in edges:
            if edge.name == now.own:
                continue
            range_ = "" if edge.accepts.text in {"", "*"} else f" {edge.accepts.text}"
            if edge.name not in releases:
                yield f"pyproject.toml asks for {edge.name}{range_}{place}, which {file} does not have."
            elif not any(edge.fits(one) for one in releases[edge.name]):
                has = ", ".join(sorted(one.pin.version for one in releases[edge.name]))
                yield f"pyproject.toml asks for {edge.name}{range_}{place}; {file} has {has}."
    needed = _reachable(contents, now.everything())
    for name in sorted(set(releases) - needed):
        yield f"{file} has {name}, which nothing asks for any more."


def bounded(told: list[str]) -> tuple[str, ...]:
    """At most a screenful, without doubles, and the number of the rest."""
    told = list(dict.fromkeys(told))
    rest = [f"And {len(told) - MOST} more."] if len(told) > MOST else []
    return tuple(told[:MOST] + rest)


def _named(tables: Mapping[str, tuple[Edge, ...]], kind: str) -> Iterator[tuple[str, tuple[Edge, ...]]]:
    for name, edges in tables.items():
        yield "" if kind == "group" and name == MAIN else f" ({kind} {name})", edges


def _reachable(contents: Contents, roots: Iterable[Edge]) -> set[str]:
    waiting = [edge.name for edge in roots]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [edge.name for one in contents.graph.releases.get(name, ()) for edge in one.edges]
    return found


def _python(metadata: Entry, now: Asked) -> Iterator[str]:
    before = metadata.text("python-versions", "*")
    if before != now.python:
        yield f"pyproject.toml is for Python {now.python}; {metadata.file} was made for {before}."


def _extras(lock: Entry, now: Asked) -> Iterator[str]:
    table = lock.table("extras")
    before = {normalised(name, table) for name in table.data}
    for name in sorted(set(now.extras) - before):
        yield f"pyproject.toml has the extra {name!r}, which {lock.file} does not know."
    for name in sorted(before - set(now.extras)):
        yield f"{lock.file} has the extra {name!r}, which pyproject.toml does not have any more."


def _hash(tables: Mapping[str, Any]) -> str:
    # `default`: dates of TOML have no JSON; poetry would fail on them, so no lock has such a hash.
    return hashlib.sha256(json.dumps(tables, sort_keys=True, default=str).encode()).hexdigest()
