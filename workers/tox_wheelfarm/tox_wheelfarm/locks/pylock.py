"""pylock.toml and pylock.NAME.toml (PEP 751), whoever wrote them.

Read and selected by packaging's own implementation of the PEP; here it becomes pins. It never follows `dependencies`
that the file does not tell, which is why names cannot be taken from most of these files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from packaging.markers import Environment, UndefinedEnvironmentName
from packaging.pylock import Package, PylockSelectError, PylockValidationError
from packaging.pylock import Pylock as Document
from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import document, selection, staleness, trust
from tox_wheelfarm.locks.conditions import Conditions
from tox_wheelfarm.locks.pin import Pin, PinnedFile

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from packaging.pylock import PackageArchive, PackageSdist, PackageWheel

    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


@dataclass(frozen=True)
class Pylock:
    """A pylock.toml that has been read and found valid.

    Attributes:
        path: where it was read.
        sha256: of its bytes.
        document: what it says.
        root: the project's folder; a directory entry for it is the project itself, and no pin.
    """

    path: Path
    sha256: str
    document: Document
    root: Path
    format: str = "pylock"
    options: tuple[str, ...] = ()
    beside: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path, data: bytes) -> Pylock:
        """Read it.

        Raises:
            LockFileError: it is no TOML, or no pylock.toml of version 1.
        """
        table = document.toml(path, data)
        try:
            told = Document.from_dict(table.values)
        except (PylockValidationError, RecursionError) as wrong:
            raise LockFileError(f"{path} is no valid pylock.toml (PEP 751): {wrong}") from wrong
        _refuse_incomplete(path, (told.tool or {}).get("wheelfarm"))
        return cls(path, hashlib.sha256(data).hexdigest(), told, path.parent)

    def of(self, project: Project) -> Pylock:
        """The same, for a project in another folder than its own."""
        return replace(self, root=project.root)

    @cached_property
    def extras(self) -> frozenset[str]:
        """The extras that it was made for."""
        return frozenset(canonicalize_name(name) for name in self.document.extras or ())

    @cached_property
    def groups(self) -> frozenset[str]:
        """The dependency groups that it was made for, without the default ones."""
        known = frozenset(canonicalize_name(name) for name in self.document.dependency_groups or ())
        return known - self.defaults

    @cached_property
    def defaults(self) -> frozenset[str]:
        """The groups that stand for the project itself (`default-groups`)."""
        return frozenset(canonicalize_name(name) for name in self.document.default_groups or ())

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for an interpreter; see `Lock.select`.

        What stands in the file without a condition belongs to every set that asks for the project or for a group.
        """
        self._check(wish)
        found: dict[str, Package] = {}
        groups = wish.groups | (self.groups if wish.dev else frozenset())
        if wish.project or groups:
            extras = wish.extras if wish.project else frozenset()
            chosen = groups | (self.defaults if wish.project else frozenset())
            found = self._selected(target, extras, chosen)
        for name in wish.names:
            for package in self._closure(name, target, found):
                if found.setdefault(package.name, package) is not package:
                    raise LockFileError(f"{self.path} has {package.name} twice for this interpreter")
        pins = []
        for package in found.values():
            with trust.at(f"{self.path}, {package.name}"):
                pins.append(self._pin(package, found, target))
        return selection.exact(self.path, (pin for pin in pins if pin), target)

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of the project it cannot be for; see `Lock.differences`.

        The file does not tell what it was made from, so only contradictions show.
        """
        versions: dict[str, list[str]] = {}
        for package in self.document.packages:
            version = str(package.version) if package.version and not package.is_direct else ""
            versions.setdefault(package.name, []).append(version)
        return (
            *staleness.pythons(str(self.document.requires_python or ""), project, self.path),
            *staleness.gone("extra", self.extras, project.extras, self.path),
            *staleness.gone("dependency group", self.groups, project.groups or None, self.path),
            *staleness.unsatisfied(versions, project, self.path),
        )

    def _check(self, wish: Wish) -> None:
        for name in sorted(wish.extras - self.extras):
            raise selection.no_such_extra(self.path, "extra", name, self.extras)
        for name in sorted(wish.groups - self.groups - self.defaults):
            raise selection.no_such_extra(self.path, "group", name, self.groups)

    def _selected(
        self, target: Target, extras: Collection[str], groups: Collection[str]
    ) -> dict[str, Package]:
        try:
            chosen = self.document.select(
                environment=cast("Environment", dict(target.environment)),
                tags=target.tags,
                extras=extras,
                dependency_groups=groups,
            )
            return {package.name: package for package, _ in chosen}
        except (PylockSelectError, UndefinedEnvironmentName, ValueError) as refused:
            raise LockFileError(f"{self.path} does not fit this interpreter: {refused}") from refused

    def _closure(self, name: str, target: Target, found: Mapping[str, Package]) -> Iterator[Package]:
        """A named package and everything below it."""
        known = {package.name for package in self.document.packages}
        if name not in known:
            raise selection.no_such_package(self.path, name, known)
        if not self._tells_edges:
            raise LockFileError(
                f"locked_deps: {self.path} does not say what {name} needs; name groups instead, or use a lock file "
                "that says so (uv.lock, poetry.lock)"
            )
        there = found if name in found else self._first_with(name, target)
        waiting, seen = [name], {name}
        while waiting:
            package = there[waiting.pop()]
            yield package
            for needed in self._needs(package, target, strict=True):
                if needed in there and needed not in seen:
                    seen.add(needed)
                    waiting.append(needed)

    def _first_with(self, name: str, target: Target) -> Mapping[str, Package]:
        """A selection that has the name: the project's own, or else that of a group, or else that of an extra."""
        defaults = self.defaults
        for extras, groups in [
            (frozenset[str](), defaults),
            *((frozenset[str](), defaults | {group}) for group in sorted(self.groups)),
            *((frozenset({extra}), defaults) for extra in sorted(self.extras)),
        ]:
            there = self._selected(target, extras, groups)
            if name in there:
                return there
        raise selection.no_such_package(self.path, name, {package.name for package in self.document.packages})

    @cached_property
    def _tells_edges(self) -> bool:
        return any(package.dependencies or _by_pdm(package) for package in self.document.packages)

    def _needs(self, package: Package, target: Target, *, strict: bool = False) -> Iterator[str]:
        """The names that a package needs: by the PEP's own entries, or by what pdm writes beside them.

        Raises:
            LockFileError: pdm's entries ask for extras of one, whose own needs they do not tell; only if `strict`.
        """
        for entry in package.dependencies or ():
            name = entry.get("name")
            if isinstance(name, str):
                yield canonicalize_name(name)
        conditions = Conditions(target)
        for text in _by_pdm(package):
            asked = staleness.requirement(text, self.path)
            if not conditions.hold(str(asked.marker or "")):
                continue
            if asked.extras and strict:
                raise LockFileError(
                    f"{self.path} does not say what {asked.name}[{','.join(asked.extras)}] needs"
                )
            yield canonicalize_name(asked.name)

    def _pin(self, package: Package, found: Mapping[str, Package], target: Target) -> Pin | None:
        version = str(package.version) if package.version else ""
        requires = None
        if self._tells_edges:
            needed = dict.fromkeys(self._needs(package, target))
            requires = tuple(name for name in needed if name in found)
        pin = Pin(package.name, version, requires=requires, index=package.index or "")
        here = self.path.parent
        if package.vcs:
            where = package.vcs.url or Path(trust.folder(here, package.vcs.path or "")).as_uri()
            reference = trust.repository(package.vcs.type, where, package.vcs.commit_id)
            return replace(
                pin, reference=reference, subdirectory=trust.subdirectory(package.vcs.subdirectory or "")
            )
        if package.directory:
            below = trust.subdirectory(package.directory.subdirectory or "")
            folder = trust.folder(here, package.directory.path)
            if not below and folder == str(self.root.absolute()):
                return None  # the project itself, which tox installs
            return replace(
                pin, reference=folder, editable=bool(package.directory.editable), subdirectory=below
            )
        if package.archive:
            file = self._file(package.archive, "")
            below = trust.subdirectory(package.archive.subdirectory or "")
            return replace(pin, reference=file.url, files=(file,), subdirectory=below)
        return self._released(package, pin, target)

    def _released(self, package: Package, pin: Pin, target: Target) -> Pin:
        # Of many wheels one is taken: the others' URLs and hashes are not looked at.
        names = {wheel.filename: wheel for wheel in reversed(package.wheels or ())}
        best = selection.best([PinnedFile(trust.file_name(name), ()) for name in names], target)
        files = [self._file(names[best.name], best.name)] if best else []
        if package.sdist:
            files.append(self._file(package.sdist, package.sdist.filename))
        if files and files[0].url.startswith("file:"):  # beside the lock file: no index would find it
            return replace(pin, reference=files[0].url, files=(files[0],))
        return replace(pin, files=tuple(files))

    def _file(self, told: PackageArchive | PackageSdist | PackageWheel, name: str) -> PinnedFile:
        url = told.url or Path(trust.folder(self.path.parent, told.path or "")).as_uri()
        hashes = trust.hashes(f"{algorithm}:{digest}" for algorithm, digest in told.hashes.items())
        return PinnedFile(trust.file_name(name or url), hashes, trust.url(url))


def _by_pdm(package: Package) -> list[str]:
    """What pdm says that a package needs, which the PEP leaves to tools."""
    told = (package.tool or {}).get("pdm")
    found = told.get("dependencies") if isinstance(told, dict) else None
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


def _refuse_incomplete(path: Path, own: object) -> None:
    """Refuse the record of a set (`tox --result-json`) that says of itself that it lacks releases."""
    missing = own.get("incomplete") if isinstance(own, dict) else None
    if missing:
        told = ", ".join(str(each).split(" ")[0] for each in missing) if isinstance(missing, list) else ""
        raise LockFileError(
            f"{path} is the record of a set without releases that it had, as nobody knew where their files were: "
            f"{told[:500] or missing!r}; have it recorded anew with the network (offline = never), or lock these"
        )
