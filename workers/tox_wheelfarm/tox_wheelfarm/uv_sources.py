"""Where `[tool.uv.sources]` says that requirements of a project come from: folders, repositories, URLs, indexes.

Called by `decision` and `settlement` where no lock file decides, and by `packager`. uv itself follows them, in a
pyproject.toml that is made for the question; a name with a source is never left to another index.
"""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm import digests, sources, uv_workspace
from tox_wheelfarm.errors import ResolutionError
from tox_wheelfarm.locks.pin import Pin
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.order import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tox_wheelfarm.decision import Case
    from tox_wheelfarm.order import Order

NAME = "tox-wheelfarm-asked"
"""Of the project that is made; uv names it where it cannot satisfy it."""

MOST = 1000
"""Folders that are looked into."""


@dataclass(frozen=True)
class Sourced:
    """Requirements that have a source.

    Attributes:
        requirements: these, as they were given (PEP 508).
        pyproject: the text of a pyproject.toml that asks for them, with their sources; "" where there are none.
        folders: names of the folders among the sources and in the workspace: what a cache has of them may be old.
        places: those folders that are asked for themselves.
        indexes: the index that each is from, by name, where that is its source.
    """

    requirements: tuple[str, ...] = ()
    pyproject: str = ""
    folders: tuple[str, ...] = ()
    places: tuple[Path, ...] = ()
    indexes: Mapping[str, str] = field(default_factory=dict)

    def explained(self, derivation: str) -> str:
        """Why there is no set, in the words of who asked; uv does not say that an index may want a login."""
        lines = [derivation.replace(NAME, "the project")]
        for name, index in self.indexes.items():
            if f"{name} was not found in the package registry" in derivation:
                word = re.sub(r"\W", "_", index).upper()
                lines.append(
                    f"By tool.uv.sources {name} is from the index {index!r} alone; if that wants a login, set "
                    f"UV_INDEX_{word}_USERNAME and UV_INDEX_{word}_PASSWORD."
                )
        return "\n".join(lines)


@dataclass(frozen=True)
class UvSources:
    """The sources of a project and of the workspace that it is in; its own win.

    Attributes:
        path: its pyproject.toml, for messages.
        table: the sources of each name (normalised), with paths made absolute.
        indexes: `[[tool.uv.index]]` by name.
        members: the folders of the workspace, by name.
        included: the dependency groups that each group of the project includes itself (normalised).
    """

    path: Path
    table: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    members: Mapping[str, Path] = field(default_factory=dict)
    included: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> UvSources:
        """The sources of the project in a folder.

        Raises:
            LockFileError: a pyproject.toml is no TOML, or its tables are none.
        """
        project = Project.read(root)
        workspace = uv_workspace.of(project)
        levels = [workspace.root, project] if workspace else [project]
        uv = [level.tool("uv") for level in levels]
        told: list[tuple[Project, str, list[Any]]] = [
            (level, canonicalize_name(name), entry if isinstance(entry, list) else [entry])
            for level, settings in zip(levels, uv)
            for name, entry in settings.table("sources").values.items()
        ]
        members = workspace.members() if workspace and told else {}
        table = {
            name: [_absolute(each, members.get(name), level) for each in all_] for level, name, all_ in told
        }
        indexes = {
            each.string("name"): _index(each.values, level)
            for level, settings in zip(levels, uv)
            for each in settings.tables("index")
        }
        return cls(root / "pyproject.toml", table, indexes, members, _included(project) if told else {})

    @property
    def folders(self) -> dict[str, Path]:
        """The folders that are sources or members of the workspace, by name."""
        told = [(name, each["path"]) for name, each in self._each() if isinstance(each.get("path"), str)]
        return {**self.members, **{name: Path(path) for name, path in told if Path(path).is_dir()}}

    def ask(
        self, requirements: Iterable[str], extras: frozenset[str], groups: frozenset[str] | None
    ) -> Sourced:
        """Those of the requirements that have a source.

        Args:
            requirements: of the project (PEP 508).
            extras: that are asked for; a source may be for one of them only.
            groups: that are asked for, as well; None for all.

        Raises:
            ResolutionError: one is from an index that is named nowhere, or a member that no workspace has.
        """
        groups = None if groups is None else self._with_included(groups)
        table = {name: told for name in self.table if (told := self._applying(name, extras, groups))}
        lines = tuple(line for line in dict.fromkeys(requirements) if _name(line) in table)
        if not lines:
            return Sourced()
        wanted = {name: table[name] for name in sorted(set(map(_name, lines)))}
        self._know_members(wanted)
        project = {"name": NAME, "version": "0", "dependencies": list(lines)}
        # A workspace of its own: no other is looked for in the folders above.
        uv = {"workspace": {}, "sources": wanted, "index": list(self._indexes(wanted))}
        text = tomli_w.dumps({"project": project, "tool": {"uv": uv}})
        folders = self.folders
        places = tuple(folders[name] for name in wanted if name in folders)
        indexes = {
            name: str(each["index"])
            for name, told in wanted.items()
            for each in told
            if isinstance(each, dict) and "index" in each
        }
        return Sourced(lines, text, tuple(sorted(folders)), places, indexes)

    def from_indexes(self) -> set[str]:
        """The names that some index is a source of."""
        return {name for name, each in self._each() if "index" in each}

    def _each(self) -> Iterator[tuple[str, dict[str, Any]]]:
        return ((name, each) for name, told in self.table.items() for each in told if isinstance(each, dict))

    def _with_included(self, groups: frozenset[str]) -> frozenset[str]:
        found: set[str] = set()
        waiting: list[str] = [canonicalize_name(group) for group in groups]
        while waiting:
            group = waiting.pop()
            if group not in found:
                found.add(group)
                waiting += self.included.get(group, ())
        return frozenset(found)

    def _applying(self, name: str, extras: frozenset[str], groups: frozenset[str] | None) -> list[Any]:
        # What is asked for is one list here, in which nothing belongs to an extra or a group any more.
        return [
            {key: value for key, value in each.items() if key not in {"extra", "group"}}
            if isinstance(each, dict)
            else each  # uv says better what is wrong with it
            for each in self.table[name]
            if not isinstance(each, dict)
            or (_asked(each.get("extra"), extras) and (groups is None or _asked(each.get("group"), groups)))
        ]

    def _know_members(self, wanted: Mapping[str, Sequence[Any]]) -> None:
        for name, told in wanted.items():
            if any(isinstance(each, dict) and "workspace" in each for each in told):
                raise ResolutionError(
                    f"{name} is a member of the workspace by tool.uv.sources of {self.path} or of its workspace, and "
                    "no folder of [tool.uv.workspace] has that name"
                )

    def _indexes(self, wanted: Mapping[str, Sequence[Any]]) -> Iterator[Mapping[str, Any]]:
        named = {
            str(each["index"]): name
            for name, told in wanted.items()
            for each in told
            if isinstance(each, dict) and "index" in each
        }
        for index, name in sorted(named.items()):
            if index not in self.indexes:
                raise ResolutionError(
                    f"{name} is from the index {index!r} by tool.uv.sources, and no [[tool.uv.index]] of {self.path} "
                    "or of its workspace has that name"
                )
            yield self.indexes[index]


def of_build(root: Path, requirements: Iterable[str]) -> tuple[Sourced, str]:
    """What of a build's requirements has a source, and a fingerprint of these.

    Raises:
        LockFileError, ResolutionError: as `sourced` has it.
    """
    found = UvSources.read(root).ask(requirements, frozenset(), frozenset())
    looks = sources.looks(Pin("", "", reference=str(place)) for place in found.places)
    return found, fingerprint(found.pyproject, looks) if found.requirements else ""


def sourced(case: Case, order: Order, project: Iterable[str]) -> Sourced:
    """What of an environment's requirements has a source.

    Args:
        case: of the environment.
        order: what was asked for in it.
        project: the requirements of the project (PEP 508), without those of `deps`.

    Raises:
        LockFileError: a pyproject.toml is no TOML, or its tables are none.
        ResolutionError: a source cannot be had.
    """
    options, built = case.options, {artifact.name for artifact in order.artifacts}
    extras = order.extras.union(*(artifact.extras for artifact in order.artifacts))
    groups = order.groups | order.older_groups | options.poetry_dep_groups
    # The project itself is the one that tox built.
    others = [line for line in project if _name(line) not in built]
    found = UvSources.read(case.root).ask(others, extras, None if options.install_dev_deps else groups)
    if found.requirements and case.pip is not None:
        raise ResolutionError(
            f"tool.uv.sources of {case.root / 'pyproject.toml'} says where {', '.join(found.requirements)} comes from, "
            f"which the pip of {case.python} does not know: name the place in the requirement itself (NAME @ URL)"
        )
    return found


def digest(root: Path) -> str:
    """A fingerprint of all that the sources of a project say, and of what their folders say of themselves."""
    found = UvSources.read(root)
    if not found.table:
        return ""
    held = {name: digests.digest(path / "pyproject.toml") for name, path in found.folders.items()}
    paths = {name: str(path) for name, path in found.members.items()}
    return fingerprint(found.table, found.indexes, paths, held)


def direct(pins: Iterable[Pin], roots: Iterable[Path]) -> tuple[Pin, ...]:
    """The pins with a URL where only a source says which index: an install by name would ask the others for it.

    Args:
        pins: what was resolved, one file each.
        roots: folders of which the sources took part; those that these lead to did as well.
    """
    named = _from_indexes(roots)
    return tuple(
        replace(pin, reference=pin.files[0].url)
        if pin.name in named and not pin.reference and len(pin.files) == 1 and pin.files[0].url
        else pin
        for pin in pins
    )


def _from_indexes(roots: Iterable[Path]) -> set[str]:
    waiting, seen = [path.absolute() for path in roots], set[Path]()
    named: set[str] = set()
    while waiting and len(seen) < MOST:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            found = UvSources.read(here)
            named |= found.from_indexes()
            waiting += found.folders.values()
    return named


def _included(project: Project) -> dict[str, frozenset[str]]:
    groups = project.document.get("dependency-groups")
    told = (
        {name: each for name, each in groups.items() if isinstance(each, list)}
        if isinstance(groups, dict)
        else {}
    )
    return {
        canonicalize_name(name): frozenset(
            canonicalize_name(str(line["include-group"]))
            for line in lines
            if isinstance(line, dict) and "include-group" in line
        )
        for name, lines in told.items()
    }


def _absolute(told: Any, member: Path | None, level: Project) -> Any:
    if isinstance(told, dict) and told.get("workspace") is True and member is not None:
        # As uv has it: members are installed in place.
        rest = {key: value for key, value in told.items() if key != "workspace"}
        return {"editable": True, **rest, "path": str(member)}
    if isinstance(told, dict) and isinstance(told.get("path"), str):
        return {**told, "path": os.path.normpath(level.root.absolute() / told["path"])}
    return told


def _index(told: Mapping[str, Any], level: Project) -> Mapping[str, Any]:
    # It is there for those that name it, and for nothing else.
    url = str(told.get("url", ""))
    place = url if "://" in url else Path(os.path.normpath(level.root.absolute() / url)).as_uri()
    kept = {key: value for key, value in told.items() if key not in {"default", "publish-url", "check-url"}}
    return {**kept, "url": place, "explicit": True}


def _asked(told: Any, names: frozenset[str]) -> bool:
    return told is None or canonicalize_name(str(told)) in set(map(canonicalize_name, names))


def _name(line: str) -> str:
    try:
        return str(canonicalize_name(Requirement(line).name))
    except InvalidRequirement:
        return ""
