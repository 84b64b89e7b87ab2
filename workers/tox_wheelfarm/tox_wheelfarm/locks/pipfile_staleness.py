"""Whether a Pipfile.lock was made for the Pipfile that is there, and if not, what differs.

Called by `pipfile`. The hash that pipenv writes decides; the sentences explain. What is in the lock and no longer
needed is never told: a Pipfile.lock does not say what needs what.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from packaging.markers import default_environment

from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.poetry_staleness import bounded
from tox_wheelfarm.locks.poetry_versions import ANY, Versions, versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.graph import Release
    from tox_wheelfarm.locks.project import Project

OTHERS = frozenset(
    {"source", "packages", "dev-packages", "requires", "scripts", "pipfile", "pipenv", "default", "develop"}
)
"""Tables of a Pipfile that are no categories of packages."""

CALLED = {"packages": "default", "dev-packages": "develop"}
PYPI = {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": True}


def differences(
    lock: Entry, categories: Mapping[str, tuple[Release, ...]], project: Project
) -> tuple[str, ...]:
    """What differs, one sentence each; none when any generation of pipenv would find it fresh."""
    if lock.table("_meta", "hash").text("sha256") in hashes(project.pipfile):
        return ()
    whole = Entry("Pipfile", "", project.pipfile)
    told = [*_requires(lock, whole), *_categories(lock.file, categories, whole)]
    if not told:
        told = [f"{lock.file} was made for another Pipfile (its hash differs): run `pipenv lock`."]
    return bounded(told)


def hashes(pipfile: Mapping[str, Any]) -> frozenset[str]:
    """The hashes that the generations of pipenv give this Pipfile (before and after there were more categories)."""
    first: dict[str, Any] = {
        "_meta": {"sources": pipfile.get("source", [PYPI]), "requires": pipfile.get("requires", {})},
        "default": pipfile.get("packages", {}),
        "develop": pipfile.get("dev-packages", {}),
    }
    more = {**first, **{name: table for name, table in pipfile.items() if name not in OTHERS}}
    return frozenset(_hash(one) for one in (first, more))


def _requires(lock: Entry, whole: Entry) -> Iterator[str]:
    before, now = lock.table("_meta", "requires").data, whole.table("requires").data
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            was, is_ = (str(one.get(key, "nothing"))[:40] for one in (before, now))
            yield f"The Pipfile requires {is_} of {key}; {lock.file} was made for {was}."


def sections(whole: Entry) -> Iterator[tuple[str, Entry]]:
    """The tables of packages of a Pipfile, each with the name of its category in the lock file."""
    for section, table in whole.data.items():
        if section in CALLED or (section not in OTHERS and isinstance(table, dict)):
            yield CALLED.get(section, section), whole.table(section)


def line(name: str, given: Any, root: Path) -> str:
    """An entry of a Pipfile as a requirement (PEP 508); a folder in it is relative to `root`."""
    table = given if isinstance(given, dict) else {"version": given}
    extras = f"[{','.join(map(str, table['extras']))}]" if isinstance(table.get("extras"), list) else ""
    version = table.get("version")
    told = version if isinstance(version, str) and version != "*" else ""
    for kind in ("git", "file", "path"):
        if isinstance(table.get(kind), str):
            at = f"@{table['ref']}" if table.get("ref") else ""
            at += f"#subdirectory={table['subdirectory']}" if table.get("subdirectory") else ""
            place = table[kind] if "://" in table[kind] else (root / table[kind]).absolute().as_uri()
            told = f" @ {'git+' if kind == 'git' else ''}{place}{at} "
    markers = [f"({table['markers']})"] if table.get("markers") else []
    markers += [f"({key} {table[key]})" for key in default_environment() if isinstance(table.get(key), str)]
    return f"{name}{extras}{told}{' ; ' + ' and '.join(markers) if markers else ''}"


def _categories(file: str, categories: Mapping[str, tuple[Release, ...]], whole: Entry) -> Iterator[str]:
    for category, table in sections(whole):
        locked = {one.pin.name: one for one in categories.get(category, ())}
        for name, given in table.data.items():
            range_ = _range(whole, name, given)
            shown = f"{name} {range_.text}" if range_.text != "*" else name
            one = locked.get(normalised(name, whole))
            if one is None:
                yield f"The Pipfile asks for {shown} ({table.where}), which {file} does not have."
            elif one.pin.version and one.pin.version not in range_:
                yield f"The Pipfile asks for {shown} ({table.where}); {file} has {one.pin.version}."


def _range(whole: Entry, name: str, given: Any) -> Versions:
    text = given.get("version", "*") if isinstance(given, dict) else given
    try:
        return versions(text) if isinstance(text, str) and text else ANY
    except ValueError:
        raise whole.wrong(f"{name[:80]}: {text[:80]!r} is no range of versions") from None


def _hash(tables: Mapping[str, Any]) -> str:
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
