"""What a project says of its dependencies, as far as a lock file can be held against it.

Read from pyproject.toml (its `project`, `dependency-groups`, `tool.poetry`, `tool.pdm` tables) or a Pipfile. It never
runs a build backend: what is dynamic is unknown, and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from tox_wheelfarm.locks.document import Table, contents, toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Project:
    """A project's folder and what its pyproject.toml and Pipfile hold, parsed.

    Attributes:
        root: the folder.
        document: pyproject.toml, parsed; empty without one.
        pipfile: the Pipfile, parsed; empty without one.
    """

    root: Path
    document: Mapping[str, Any] = field(default_factory=dict)
    pipfile: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Project:
        """What a folder holds.

        Raises:
            LockFileError: pyproject.toml or the Pipfile is no TOML.
        """
        return cls(root, _read(root / "pyproject.toml"), _read(root / "Pipfile"))

    @property
    def name(self) -> str:
        """Its name, normalised; "" if it has none."""
        told = self._project.string("name") or self.tool("poetry").string("name")
        return canonicalize_name(told) if told else ""

    @property
    def requires_python(self) -> str | None:
        """Its `requires-python` (PEP 621), "" if every Python will do, None if it is dynamic or Poetry's dialect."""
        if "requires-python" in self._project:
            return self._project.specifier("requires-python")
        return None if not self._known("requires-python") else ""

    @property
    def dependencies(self) -> tuple[str, ...] | None:
        """Its own dependencies (PEP 508); None if only its build backend knows them."""
        if not self._known("dependencies"):
            return None
        return self._project.strings("dependencies")

    @property
    def extras(self) -> Mapping[str, tuple[str, ...]] | None:
        """The dependencies of each extra, by normalised name; None if only its build backend knows them."""
        if not self._known("optional-dependencies"):
            return None
        table = self._project.table("optional-dependencies")
        return {canonicalize_name(name): table.strings(name) for name in table.values}

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The requirements of each dependency group (PEP 735), by normalised name, with what they include.

        The development dependencies that uv and PDM had before that PEP are groups here.

        Raises:
            LockFileError: a group includes one that is not there, or itself.
        """
        table = Table(self._path, "dependency-groups", self._pyproject.table("dependency-groups").values)
        names: dict[str, str] = {canonicalize_name(name): name for name in table.values}
        found: dict[str, tuple[str, ...]] = {name: _expanded(table, names, name) for name in names}
        for name, more in self._older_groups():
            found[name] = tuple(dict.fromkeys([*found.get(name, ()), *more]))
        return found

    def tool(self, name: str) -> Table:
        """The table of a tool: `tool.poetry`, `tool.pdm`, `tool.uv`; empty without one."""
        return self._pyproject.table("tool").table(name)

    def _older_groups(self) -> Iterable[tuple[str, tuple[str, ...]]]:
        uv = self.tool("uv").strings("dev-dependencies")
        if uv:
            yield "dev", uv
        pdm = self.tool("pdm").table("dev-dependencies")
        for name in pdm.values:
            yield canonicalize_name(name), pdm.strings(name)

    def _known(self, key: str) -> bool:
        """Whether the project table decides it: it is there, and does not leave this to the build backend."""
        return bool(self._project.values) and key not in self._project.strings("dynamic")

    @property
    def _path(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def _pyproject(self) -> Table:
        return Table(self._path, "", self.document)

    @property
    def _project(self) -> Table:
        return self._pyproject.table("project")


def _read(path: Path) -> Mapping[str, Any]:
    return toml(path, contents(path)).values if path.is_file() else {}


def _expanded(table: Table, names: Mapping[str, str], group: str) -> tuple[str, ...]:
    """The requirements of a group and of those that it includes, in order; each group once (PEP 735)."""
    return tuple(dict.fromkeys(_requirements(table, names, group, ())))


def _requirements(
    table: Table, names: Mapping[str, str], group: str, above: tuple[str, ...]
) -> Iterable[str]:
    if group in above:
        raise table.wrong(f"includes itself: {' > '.join([*above, group])}", group)
    if group not in names:
        raise table.wrong(f"includes {group!r}, which is no group", above[-1])
    entries = table.values[names[group]]
    if not isinstance(entries, list):
        raise table.wrong("must be a list", group)
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            yield from _requirements(table, names, canonicalize_name(entry["include-group"]), (*above, group))
        else:
            raise table.wrong("has an entry that is neither a requirement nor include-group", group)
