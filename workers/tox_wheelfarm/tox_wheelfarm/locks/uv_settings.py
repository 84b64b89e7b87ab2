"""The settings of uv that a uv.lock was made with, held against `[tool.uv]`.

Called by `uv_metadata`. Only what the project says is compared: a lock that was made with more had it from a command
line, and is never called stale for that. A project with a uv.toml has its settings there, and these are not read.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from tox_wheelfarm.locks import staleness
from tox_wheelfarm.locks.document import Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox_wheelfarm.locks.project import Project

MODES = (
    ("resolution", "resolution-mode", "highest"),
    ("prerelease", "prerelease-mode", "if-necessary-or-explicit"),
    ("fork-strategy", "fork-strategy", "requires-python"),
)
"""Settings of one word: in `[tool.uv]`, in the lock's `[options]`, and what counts where neither says it."""

PLACES = (("environments", "supported-markers"), ("required-environments", "required-markers"))
"""Settings that are lists of markers: in `[tool.uv]`, and in the lock."""

ANY_ZONE = timedelta(days=2)
"""Within what the end of a day is, seen from anywhere; uv takes the day of the machine that locks."""


def changed(lock: Table, root: Project) -> Iterator[str]:
    """The settings that the lock was not made with, one sentence each.

    Args:
        lock: all of it.
        root: the folder that the lock stands in.
    """
    if (root.root / "uv.toml").exists():
        return
    settings, name = root.tool("uv"), lock.path.name
    for setting in _differing(settings, lock, root.name):
        yield f"tool.uv.{setting}: {name} was made with another; run `uv lock`"


def _differing(settings: Table, lock: Table, project: str) -> Iterator[str]:
    options = lock.table("options")
    for setting, key, usual in MODES:
        if setting in settings and settings.string(setting) != (options.string(key) or usual):
            yield setting
    if "exclude-newer" in settings and not _same_time(str(settings.values["exclude-newer"]), options):
        yield "exclude-newer"
    for setting, key in PLACES:
        if setting in settings and _where(settings, setting) != _where(lock, key):
            yield setting
    if not _conflicts(settings, project) <= _conflicts(lock, project):
        yield "conflicts"
    there = {canonicalize_name(entry.string("name")) for entry in lock.tables("package")}
    told = {*map(_release, lock.table("manifest").tables("dependency-metadata"))}
    # What is said of releases that nothing needs decides nothing.
    if any(each[0] in there for each in {*map(_release, settings.tables("dependency-metadata"))} - told):
        yield "dependency-metadata"


def _same_time(wanted: str, options: Table) -> bool:
    """Whether the lock's cut-off is that one; a span of time ("2 weeks") is one of the same kind."""
    try:
        asked = _moment(wanted)
    except ValueError:
        return "exclude-newer-span" in options
    try:
        locked = _moment(str(options.values.get("exclude-newer", "")))
    except ValueError:
        return False
    apart = ANY_ZONE if len(wanted) == len("2026-01-31") else timedelta(0)
    return abs(asked - locked) <= apart


def _moment(text: str) -> datetime:
    """A time or a day (RFC 3339).

    Raises:
        ValueError: it is neither.
    """
    if len(text) == len("2026-01-31"):
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    # Python 3.9 and 3.10 read fractions of three or six digits only.
    exact = re.sub(r"\.(\d+)", lambda fraction: f".{fraction[1][:6]:0<6}", text)
    found = datetime.fromisoformat(exact.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _where(table: Table, key: str) -> set[tuple[bool, ...]]:
    """On which places each marker of a list holds: uv writes them in a form of its own."""
    told = table.values[key] if isinstance(table.values.get(key), str) else None
    return {staleness.where(marker, "", "") for marker in ([told] if told else table.strings(key))}


def _conflicts(table: Table, project: str) -> set[frozenset[tuple[str, str, str]]]:
    """The sets of what cannot be asked for together: package, kind and name of each."""
    told = table.values.get("conflicts")
    sets = {str(position): each for position, each in enumerate(told if isinstance(told, list) else ())}
    listed = Table(table.path, "conflicts", sets)
    return {frozenset(_item(item, project) for item in listed.tables(position)) for position in sets}


def _item(item: Table, project: str) -> tuple[str, str, str]:
    package = canonicalize_name(item.string("package") or project)
    kind = next((kind for kind in ("extra", "group") if kind in item), "")
    return package, kind, canonicalize_name(item.string(kind)) if kind else ""


def _release(told: Table) -> tuple[str, str, frozenset[str]]:
    """A release and what it is said to need."""
    path = told.path
    needs = (staleness.requirement(text, path) for text in told.strings("requires-dist"))
    plain = (f"{canonicalize_name(each.name)}{each.specifier}" for each in needs)
    return canonicalize_name(told.needed("name")), told.string("version"), frozenset(plain)
