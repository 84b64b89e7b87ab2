"""requirements*.txt with exact pins, as pip, pip-compile, `uv pip compile` and `uv export` write them.

One set without extras, groups or edges, which its markers reduce for a target. The indexes and folders that it names
are told to the install, which takes nothing from them but by hash; it never installs what is not exact.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import selection, staleness, trust
from tox_wheelfarm.locks.conditions import Conditions
from tox_wheelfarm.locks.requirement_lines import Line, Reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.locks.target import Target
    from tox_wheelfarm.locks.wish import Wish


@dataclass(frozen=True)
class RequirementsLock:
    """A requirements file, and those that it includes.

    Attributes:
        path: where it was read.
        sha256: of its bytes; of all of them in order, if it includes others.
        lines: its requirements.
        options: those that say where its files are and which of them are meant, as lines of such a file.
        ignored: options without a meaning for a lock, as they are written, with file and line.
        root: the project's folder; `-e .` in any spelling is the project itself, and no pin.
        data: the file's bytes.
        beside: the files that it includes, with the SHA-256 of what was read.
    """

    path: Path
    sha256: str
    lines: tuple[Line, ...]
    options: tuple[str, ...]
    ignored: tuple[str, ...]
    root: Path
    data: bytes = field(repr=False)
    beside: Mapping[str, str] = field(default_factory=dict)
    format: str = "requirements"

    @classmethod
    def read(cls, path: Path, data: bytes) -> RequirementsLock:
        """Read it, and what it includes by `-r`.

        Raises:
            LockFileError: a line is not understood, not exact, or includes a file that cannot be had; with its number.
        """
        return cls._read(path, data, path.parent)

    @classmethod
    def _read(cls, path: Path, data: bytes, root: Path) -> RequirementsLock:
        reader = Reader(root)
        reader.read(path, data)
        digest = hashlib.sha256(b"".join(reader.contents)).hexdigest()
        options = tuple(reader.options)
        beside = {name: told for name, told in reader.digests.items() if name != str(path)}
        return cls(path, digest, tuple(reader.lines), options, tuple(reader.ignored), root, data, beside)

    def of(self, project: Project) -> RequirementsLock:
        """The same, for a project in another folder than its own: paths in it are from there, as pip has them."""
        return self if project.root == self.root else self._read(self.path, self.data, project.root)

    @property
    def unhashed(self) -> tuple[str, ...]:
        """Each line that decides a release without a hash of it, with file and number."""
        return tuple(
            f"{line.where}: {line.pin.name}"
            for line in self.lines
            if not line.pin.hashes and (line.pin.files or not line.pin.reference)
        )

    @property
    def hashed(self) -> bool:
        """Whether any line has a hash: it is then meant as a lock."""
        return any(line.pin.hashes for line in self.lines)

    def select(self, target: Target, wish: Wish) -> tuple[Pin, ...]:
        """The set for an interpreter; see `Lock.select`. It is one set: for the project, or nothing is asked for."""
        for kind, names in (("extra", wish.extras if wish.project else ()), ("group", wish.groups)):
            for name in sorted(names):
                raise selection.no_such_extra(self.path, kind, name, ())
        if wish.names:
            known = {line.pin.name for line in self.lines}
            for name in wish.names:
                if name not in known:
                    raise selection.no_such_package(self.path, name, known)
            raise LockFileError(
                f"locked_deps: {self.path} does not say what {wish.names[0]} needs; use a lock file that says so "
                "(uv.lock, poetry.lock)"
            )
        return selection.exact(self.path, self._holding(target), target) if wish.project else ()

    def differences(self, project: Project) -> tuple[str, ...]:
        """The project's own dependencies that no line satisfies; see `Lock.differences`."""
        versions: dict[str, list[str]] = {}
        for line in self.lines:
            versions.setdefault(line.pin.name, []).append("" if line.pin.reference else line.pin.version)
        return tuple(staleness.unsatisfied(versions, project, self.path))

    def _holding(self, target: Target) -> Iterable[Pin]:
        conditions = Conditions(target)
        own = str(self.root.absolute())
        found: dict[tuple[str, str, str], Pin] = {}
        for line in self.lines:
            pin = line.pin
            with trust.at(line.where):
                if (pin.reference, pin.subdirectory) == (own, "") or not conditions.hold(line.marker):
                    continue
            key = (pin.name, pin.version, pin.reference)
            known = found.get(key, pin)
            files = known.files if known.files == pin.files else (*known.files, *pin.files)
            found[key] = replace(known, files=files, extras=known.extras | pin.extras)
        return found.values()
