"""Pipfile.lock: categories of exact releases with markers and hashes, and nothing about what needs what.

Chosen by `files`. pipenv writes `"version": "*"` for what it could not pin where it ran: that is refused, if it is
selected. It never needs pipenv.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks import pipfile_staleness
from tox_wheelfarm.locks.contents import nearest
from tox_wheelfarm.locks.entry import Entry, json_file
from tox_wheelfarm.locks.graph import Part
from tox_wheelfarm.locks.pipfile_package import release

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

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
    """

    path: Path
    sha256: str
    lock: Entry
    categories: Mapping[str, tuple[Release, ...]]
    format: str = "pipfile"

    @classmethod
    def read(cls, path: Path, data: bytes) -> PipfileLock:
        """Read it.

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
        return cls(path, hashlib.sha256(data).hexdigest(), whole, found)

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
            for one in self.categories[category]:
                if one.condition.holds(target.environment):
                    part.add(self._exact(one, category), self.path.name)
        return tuple(one.pin for _, one in sorted(part.releases.items()))

    def differences(self, project: Project) -> tuple[str, ...]:
        """What of the Pipfile it was not made for, one sentence each; none when pipenv finds it fresh.

        Raises:
            LockFileError: the Pipfile is not what pipenv takes.
        """
        return pipfile_staleness.differences(self.lock, self.categories, project)

    def _wanted(self, wish: Wish) -> set[str]:
        found = {MAIN} if wish.project else set()
        if wish.dev:
            found |= set(self.categories) - {MAIN}
        known = {category.lower(): category for category in self.categories}
        for one in sorted(wish.groups):
            category = known.get(CALLED.get(one, one).lower())
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

    def _exact(self, one: Release, category: str) -> Release:
        if not one.pin.version and not one.pin.reference:
            raise LockFileError(
                f"{self.path.name}, {category}: {one.pin.name} has no exact version, and this environment needs it: "
                "run `pipenv lock` on such a platform, or pin it in the Pipfile"
            )
        return one

    def _all(self) -> Iterator[Release]:
        return (one for ones in self.categories.values() for one in ones)
