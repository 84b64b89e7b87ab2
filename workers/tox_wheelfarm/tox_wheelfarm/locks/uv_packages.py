"""The packages of a uv.lock: one entry each, what it needs, and the pin that it becomes.

Called by `uv_lock`. It never decides a marker: `Conditions` does, for the walk that asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlunsplit
from urllib.request import url2pathname

from packaging.utils import canonicalize_name

from tox_wheelfarm.locks import selection, trust, uv_outside
from tox_wheelfarm.locks.pin import Pin, PinnedFile

if TYPE_CHECKING:
    from tox_wheelfarm.locks.document import Table
    from tox_wheelfarm.locks.target import Target

LOCAL = ("editable", "virtual", "directory")
"""Sources that are a folder; members of the workspace are one of these."""


@dataclass(frozen=True)
class Need:
    """What an entry needs.

    Attributes:
        name: normalised.
        version, source: which one of several entries of that name; empty where there is only one.
        extras: of it.
        marker: when; "" for always. It may ask for activated extras and groups, as uv writes conflicts.
    """

    name: str
    version: str
    source: tuple[tuple[str, Any], ...]
    extras: frozenset[str]
    marker: str


@dataclass(frozen=True, eq=False)
class Entry:
    """One `[[package]]`.

    Attributes:
        name: normalised.
        version: "" where it is dynamic (a folder's).
        table: all of it.
    """

    name: str
    version: str
    table: Table

    @classmethod
    def read(cls, table: Table) -> Entry:
        """Read its name, version and source; the rest is read when it is needed.

        Raises:
            LockFileError: one of them is malformed, or there is no source.
        """
        version = table.string("version")
        if not table.table("source").values:
            raise table.wrong("has no source")
        with trust.at(f"{table.path}, {table.where}"):
            return cls(trust.name(table.needed("name")), trust.version(version) if version else "", table)

    @cached_property
    def source(self) -> tuple[tuple[str, Any], ...]:
        """The source in a form that can be compared."""
        return _comparable(self.table.table("source"))

    @cached_property
    def folder(self) -> str:
        """The folder that it is, from the lock file's; "" if it is none."""
        source = self.table.table("source")
        return next((source.needed(kind) for kind in LOCAL if kind in source), "")

    @cached_property
    def forks(self) -> tuple[str, ...]:
        """The markers for which this one of several entries of a name is meant; none if it is the only one."""
        return self.table.strings("resolution-markers")

    @cached_property
    def extras(self) -> frozenset[str]:
        """Its extras that are locked, with those that need nothing."""
        told = self.table.table("metadata").strings("provides-extras")
        return frozenset(map(canonicalize_name, [*self.table.table("optional-dependencies").values, *told]))

    @cached_property
    def groups(self) -> frozenset[str]:
        """Its dependency groups, with those that need nothing."""
        told = self.table.table("metadata").table("requires-dev").values
        return frozenset(map(canonicalize_name, [*self.table.table("dev-dependencies").values, *told]))

    def needs(self, extra: str = "") -> list[Need]:
        """What it needs by itself, or for an extra."""
        if not extra:
            return _needs(self.table, "dependencies")
        return _named(self.table.table("optional-dependencies"), extra)

    def group(self, name: str) -> list[Need]:
        """What a dependency group of it needs."""
        return _named(self.table.table("dev-dependencies"), name)

    def pin(self, root: Path, extras: frozenset[str], requires: tuple[str, ...], target: Target) -> Pin:
        """What it is installed as; not for a virtual one, which is not.

        Args:
            root: the lock file's folder.
            extras: of it that are asked for.
            requires: names that it needs here.
            target: decides which of the files beside the lock file it is.

        Raises:
            LockFileError: something in it cannot be trusted, or there is no file for the target.
        """
        source = self.table.table("source")
        files = self._files(root, source)
        index = source.string("registry")
        pin = Pin(self.name, self.version, files, extras=extras, requires=requires)
        if "://" in index and not index.startswith("file:"):
            return replace(pin, index=trust.url(index))
        if index:  # a folder of files: no index would find them
            best = selection.best(files, target)
            return replace(pin, files=(best,), reference=best.url) if best else pin
        if "git" in source:
            reference, below = _git(source.needed("git"))
            return replace(pin, files=(), reference=reference, subdirectory=below)
        if "url" in source:
            below = trust.subdirectory(source.string("subdirectory"))
            return replace(pin, reference=trust.url(source.needed("url")), subdirectory=below)
        if "path" in source:
            return replace(pin, reference=Path(trust.folder(root, source.needed("path"))).as_uri())
        if not self.folder:
            raise source.wrong(f"is of a kind that is not known: {', '.join(source.values)[:80]}")
        return replace(
            pin, files=(), reference=uv_outside.folder(root, self.folder), editable="editable" in source
        )

    def _files(self, root: Path, source: Table) -> tuple[PinnedFile, ...]:
        direct = source.string("url") or source.string("path")
        registry = source.string("registry")
        told = self.table.tables("wheels")
        if "sdist" in self.table:
            told.append(self.table.table("sdist"))
        found = []
        for file in told:
            url = file.string("url") or direct or registry
            path = file.string("path")
            if path:  # from the folder that is the registry
                url = (
                    path if "://" in path else Path(trust.folder(Path(_local(root, registry)), path)).as_uri()
                )
            elif "://" not in url:
                url = Path(trust.folder(root, url)).as_uri()
            name = trust.file_name(file.string("filename") or url)
            digest = file.string("hash")
            found.append(PinnedFile(name, trust.hashes([digest] if digest else []), trust.url(url)))
        return tuple(found)


def _local(root: Path, registry: str) -> str:
    if registry.startswith("file:"):
        return url2pathname(trust.parts(registry).path)
    return trust.folder(root, registry)


def _git(told: str) -> tuple[str, str]:
    """A repository's direct reference and subdirectory, from `https://…?subdirectory=…&rev=…#commit`."""
    parts = trust.parts(told)
    below = parse_qs(parts.query).get("subdirectory", [""])[0]
    url = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    return trust.repository("git", url, parts.fragment), trust.subdirectory(below)


def _comparable(source: Table) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, str(value)) for key, value in source.values.items()))


def _named(tables: Table, name: str) -> list[Need]:
    keys = [key for key in tables.values if canonicalize_name(key) == name]
    return [need for key in keys for need in _needs(tables, key)]


def _needs(table: Table, key: str) -> list[Need]:
    return [
        Need(
            name=canonicalize_name(entry.needed("name")),
            version=entry.string("version"),
            source=_comparable(entry.table("source")),
            extras=frozenset(map(canonicalize_name, entry.strings("extra"))),
            marker=entry.string("marker"),
        )
        for entry in table.tables(key)
    ]
