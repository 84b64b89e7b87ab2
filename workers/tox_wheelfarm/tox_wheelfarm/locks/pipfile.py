"""Pipfile.lock: categories of exact releases with markers and hashes, and nothing about what needs what.

Chosen by `files`. pipenv writes `"version": "*"` for what it could not pin where it ran: that is refused, if it is
selected. It never needs pipenv.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tox_wheelfarm.digests import digests
from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks import pipfile_staleness
from tox_wheelfarm.locks.contents import nearest
from tox_wheelfarm.locks.entry import Entry, json_file, normalised, toml_file
from tox_wheelfarm.locks.graph import Part
from tox_wheelfarm.locks.pipfile_package import condition, release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.condition import Condition
    from tox_wheelfarm.locks.graph import Release
    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish

MAIN = "default"
DEVELOP = "develop"
CALLED = {"packages": MAIN, "main": MAIN, "dev-packages": DEVELOP, "dev": DEVELOP}
"""Other names of the two categories that every Pipfile.lock has: those of the Pipfile, and what people write."""


@dataclass(frozen=True)
class PipfileLock:
    """A Pipfile.lock that has been read.

    Attributes:
        path: where.
        sha256: of its bytes, hexadecimal.
        lock: the whole file.
        categories: releases by category.
        asked: for which environments the Pipfile asks for what, by category and name; empty without a Pipfile.
    """

    path: Path
    sha256: str
    lock: Entry
    categories: Mapping[str, tuple[Release, ...]]
    asked: Mapping[str, Mapping[str, Condition]] = field(default_factory=dict)
    format: str = "pipfile"
    options: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path, data: bytes, document: Mapping[str, Any] | None = None) -> PipfileLock:
        """Read it.

        Args:
            path: where it was.
            data: its bytes.
            document: the Pipfile, parsed; by default the one beside it is read, if there is one.

        Raises:
            LockFileError: it is no Pipfile.lock, or one of a generation that is not known.
        """
        whole = json_file(path.name, data)
        meta = whole.table("_meta")
        generation = meta.data.get("pipfile-spec")
        if generation != 6:
            raise whole.wrong(
                f"_meta.pipfile-spec is {str(generation)[:20]}; only 6 is known: run `pipenv lock`"
            )
        found: dict[str, tuple[Release, ...]] = {MAIN: (), DEVELOP: ()}
        for category in whole.data:
            if category != "_meta":
                table = whole.table(category)
                found[category] = tuple(release(name, table.table(name), path.parent) for name in table.data)
        return cls(path, hashlib.sha256(data).hexdigest(), whole, found, _asked(path.parent, document))

    @property
    def beside(self) -> Mapping[str, str]:
        """Its own Pipfile, which need not be in the project's folder."""
        return digests([self.path.parent / "Pipfile"])

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for this interpreter and wish, by name.

        Raises:
            ExtraNotFoundError: a category is not in it, or an extra is asked for: a Pipfile has none.
            LockedDepNotFoundError: a name is not in it, or not for this environment.
            LockFileError: it is for another Python, something selected is not exact, or names are asked for that
                are there (what they need is not told).
        """
        if wish.extras:
            raise ExtraNotFoundError(
                f"{self.path.name} has no extra {min(wish.extras)!r}; it knows none at all"
            )
        self._refuse_python(target.environment)
        if wish.names:
            self._refuse_names(wish.names, target.environment)
        part = Part()
        for category in sorted(self._wanted(wish)):
            asked = self.asked.get(category, {})
            for one in self.categories[category]:
                # pipenv may lose the markers of what it could not pin; the Pipfile has them.
                wanted = one.pin.name not in asked or asked[one.pin.name].holds(target.environment)
                if wanted and one.condition.holds(target.environment):
                    part.add(self._exact(one, category), self.path.name)
            self._refuse_gaps(category, part, target.environment)
        return tuple(one.pin for _, one in sorted(part.releases.items()))

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of the Pipfile it was not made for, one sentence each; none when pipenv finds it fresh.

        Raises:
            LockFileError: the Pipfile is not what pipenv takes.
        """
        return pipfile_staleness.differences(self.lock, self.categories, project)

    def has_category(self, name: str) -> bool:
        """Whether a group is one of its categories, whatever people call it."""
        return self._category(name) is not None

    def _category(self, name: str) -> str | None:
        known = {str(canonicalize_name(category)): category for category in self.categories}
        return known.get(str(canonicalize_name(CALLED.get(name, name))))

    def _wanted(self, wish: Wish) -> set[str]:
        found = {MAIN} if wish.project else set()
        if wish.dev:
            found |= set(self.categories) - {MAIN}
        for one in sorted(wish.groups):
            category = self._category(one)
            if category is None:
                has = ", ".join(sorted(self.categories))
                raise ExtraNotFoundError(f"{self.path.name} has no category {one!r}; it has: {has}")
            found.add(category)
        return found

    def _refuse_python(self, environment: Mapping[str, str]) -> None:
        requires = self.lock.table("_meta", "requires")
        for key in ("python_version", "python_full_version"):
            wanted = requires.text(key)
            if wanted not in {"", "*", environment[key]}:
                here = environment[key]
                raise LockFileError(
                    f"{self.path.name} is for Python {wanted}, and this environment has {here}"
                )

    def _refuse_names(self, names: tuple[str, ...], environment: Mapping[str, str]) -> None:
        file = self.path.name
        there = {one.pin.name for one in self._all()}
        here = {one.pin.name for one in self._all() if one.condition.holds(environment)}
        for name in (one.split("[")[0] for one in names):
            if name in there - here:
                raise LockedDepNotFoundError(f"{file} has {name}, but not for this interpreter and platform")
            if name not in there:
                raise LockedDepNotFoundError(f"{file} has no {name}{nearest(name, there)}")
        raise LockFileError(
            f"{file} does not tell what {names[0]} needs, so single names cannot be taken from it; "
            "give them a category of their own in the Pipfile, and ask for that group"
        )

    def _refuse_gaps(self, category: str, part: Part, environment: Mapping[str, str]) -> None:
        """Refuse a lock that was made where something the Pipfile asks for here could not be had.

        The markers in it are those of the releases that were chosen where it was made, so that what has no release
        there for an older Python would be left out without a word.
        """
        for name, asked in self.asked.get(category, {}).items():
            there = [one for one in self.categories[category] if one.pin.name == name]
            if there and name not in part.releases and asked.holds(environment):
                raise LockFileError(
                    f"{self.path.name}, {category}: {name} is locked only where {there[0].condition.text}, which does "
                    f"not hold for Python {environment['python_full_version']} on {environment['sys_platform']}: "
                    "run `pipenv lock` with the oldest Python that it is for"
                )

    def _exact(self, one: Release, category: str) -> Release:
        if not one.pin.version and not one.pin.reference:
            raise LockFileError(
                f"{self.path.name}, {category}: {one.pin.name} has no exact version, and this environment needs it: "
                "run `pipenv lock` on such a platform, or pin it in the Pipfile"
            )
        return one

    def _all(self) -> Iterator[Release]:
        return (one for ones in self.categories.values() for one in ones)


def _asked(root: Path, document: Mapping[str, Any] | None) -> dict[str, dict[str, Condition]]:
    beside = root / "Pipfile"
    if document is None and not beside.is_file():
        return {}
    whole = toml_file(beside) if document is None else Entry("Pipfile", "", document)
    found: dict[str, dict[str, Condition]] = {}
    for section, table in pipfile_staleness.sections(whole):
        here = found.setdefault(section, {})
        for name, given in table.data.items():
            asked = Entry(whole.file, f"{table.where}.{name[:80]}", given if isinstance(given, dict) else {})
            here[normalised(name, table)] = condition(asked)
    return found
