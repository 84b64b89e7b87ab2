"""What a project that uses poetry asks for: the tables of pyproject.toml, in every generation's words.

Read by `poetry`, from the pyproject.toml beside the lock file or from a `Project`. It never runs poetry or a build
backend; requirements that only a backend knows are none here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tox_wheelfarm.locks.condition import marker
from tox_wheelfarm.locks.entry import Entry, normalised
from tox_wheelfarm.locks.graph import Edge
from tox_wheelfarm.locks.poetry_package import requirements
from tox_wheelfarm.locks.poetry_versions import ANY, versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass
class Asked:
    """What is asked for.

    Attributes:
        own: the project's own name, or "".
        python: the range of Pythons, as it is written; "*" without one.
        groups: requirements by group; the project's own are `main`.
        extras: requirements that an extra adds to `main`.
    """

    own: str = ""
    python: str = "*"
    groups: dict[str, tuple[Edge, ...]] = field(default_factory=dict)
    extras: dict[str, tuple[Edge, ...]] = field(default_factory=dict)

    def roots(
        self, groups: frozenset[str], extras: frozenset[str], environment: Mapping[str, str]
    ) -> list[Edge]:
        """The requirements of these groups, and of these extras if `main` is among them, in this environment."""
        found = [edge for group in sorted(groups) for edge in self.groups.get(group, ())]
        if "main" in groups:
            found += [edge for extra in sorted(extras) for edge in self.extras.get(extra, ())]
        # A group may ask for extras of the project itself.
        asked = {extra for edge in found if edge.name == self.own for extra in edge.extras}
        found += [edge for extra in sorted(asked) for edge in self.extras.get(extra, ())]
        return [edge for edge in found if edge.condition.holds(environment, extras)]

    def everything(self) -> list[Edge]:
        """All of it, for every environment."""
        return [edge for part in (self.groups, self.extras) for edges in part.values() for edge in edges]


def asked(document: Mapping[str, Any], root: Path) -> Asked:
    """Read pyproject.toml's tables `project`, `dependency-groups` and `tool.poetry`.

    Raises:
        LockFileError: they are not what poetry takes.
    """
    whole = Entry("pyproject.toml", "", document)
    project, poetry = whole.table("project"), whole.table("tool", "poetry")
    name = project.text("name") or poetry.text("name")
    found = Asked(own=normalised(name, whole) if name else "")
    found.python = project.text("requires-python") or _python(poetry) or "*"
    optional = _main(found, project, poetry, root)
    _extras(found, poetry, optional)
    _groups(found, whole, poetry, root)
    return found


def requirement(line: str, entry: Entry) -> Edge:
    """A requirement of PEP 508.

    Raises:
        LockFileError: it is none.
    """
    try:
        parsed = Requirement(line)
    except (InvalidRequirement, RecursionError):
        raise entry.wrong(f"{line[:120]!r} is no requirement (PEP 508)") from None
    return Edge(
        str(canonicalize_name(parsed.name)),
        versions(str(parsed.specifier)) if not parsed.url else ANY,
        marker(str(parsed.marker or ""), entry),
        frozenset(str(canonicalize_name(extra)) for extra in parsed.extras),
        parsed.url or "",
        entry.where,
    )


def included(name: str, tables: Mapping[str, Any], entry: Entry) -> list[Edge]:
    """The requirements of a group of PEP 735, with those of the groups that it includes, each group once.

    Args:
        name: of the group, as one of the keys of `tables`.
        tables: `dependency-groups`, by normalised name.
        entry: for messages.

    Raises:
        LockFileError: a group includes one that is not there, or holds what PEP 735 does not know.
    """
    found: list[Edge] = []
    waiting, seen = [name], {name}
    while waiting:
        group = waiting.pop()
        if not isinstance(tables[group], list):
            raise entry.wrong(f"the group {group!r} is not a list")
        for line in tables[group]:
            other = line.get("include-group") if isinstance(line, dict) else None
            if isinstance(line, str):
                found.append(requirement(line, Entry(entry.file, f"group {group}", {})))
            elif not isinstance(other, str) or normalised(other, entry) not in tables:
                told = f"{str(line)[:80]!r}, which is neither a requirement nor a group"
                raise entry.wrong(f"the group {group!r} holds {told}")
            elif normalised(other, entry) not in seen:
                seen.add(normalised(other, entry))
                waiting.append(normalised(other, entry))
    return found


def _python(poetry: Entry) -> str:
    """The range of `python` among poetry's own dependencies; several are a union."""
    given = poetry.table("dependencies").data.get("python", "")
    tables = [
        one if isinstance(one, dict) else {"version": one}
        for one in (given if isinstance(given, list) else [given])
    ]
    return " || ".join(Entry(poetry.file, "python", table).text("version") for table in tables)


def _main(found: Asked, project: Entry, poetry: Entry, root: Path) -> list[Edge]:
    """Fill in the project's own requirements; returns the optional ones of poetry's words."""
    main: list[Edge] = []
    optional: list[Edge] = []
    here = Entry(project.file, "project", {})
    if "dependencies" in project.data or "optional-dependencies" in project.data:
        main += [requirement(line, here) for line in project.texts("dependencies")]
        tables = project.table("optional-dependencies")
        for extra in tables.data:
            lines = tuple(requirement(line, here) for line in tables.texts(extra))
            found.extras[normalised(extra, tables)] = lines
    # Beside `project.dependencies` poetry's table only says where each comes from.
    if "dependencies" not in project.data:
        for name, given in poetry.table("dependencies").data.items():
            if name.lower() == "python":
                continue
            for edge, is_optional in requirements(name, given, here, root):
                (optional if is_optional else main).append(edge)
    found.groups["main"] = tuple(main)
    return optional


def _extras(found: Asked, poetry: Entry, optional: list[Edge]) -> None:
    table = poetry.table("extras")
    for extra in table.data:
        names = {normalised(name.split("[")[0].strip(), table) for name in table.texts(extra)}
        called = normalised(extra, table)
        found.extras[called] = found.extras.get(called, ()) + tuple(
            edge for edge in optional if edge.name in names
        )
    unfold(found)


def unfold(found: Asked) -> None:
    """Give an extra that asks for others of the project itself (`all = ["me[one,two]"]`) their requirements."""
    found.extras = {extra: tuple(_unfolded(found, extra)) for extra in found.extras}


def _unfolded(found: Asked, extra: str) -> list[Edge]:
    """An extra's requirements, with those of the extras that it asks of the project itself, each extra once."""
    lines: list[Edge] = []
    waiting, seen = [extra], {extra}
    while waiting:
        for edge in found.extras.get(waiting.pop(), ()):
            if edge.name != found.own:
                lines.append(edge)
                continue
            more = sorted(edge.extras - seen)
            seen |= edge.extras
            waiting += more
    return lines


def _groups(found: Asked, whole: Entry, poetry: Entry, root: Path) -> None:
    standard = whole.table("dependency-groups")
    tables = {normalised(name, standard): lines for name, lines in standard.data.items()}
    for name in tables:
        found.groups[name] = tuple(included(name, tables, standard))
    own = poetry.table("group")
    called = {normalised(name, own): name for name in own.data}
    older = _lines(poetry.table("dev-dependencies"), "dev", root)
    if "dev-dependencies" in poetry.data:
        found.groups["dev"] = found.groups.get("dev", ()) + older
    alone = {name: _lines(own.table(called[name], "dependencies"), name, root) for name in called}
    for name in called:
        # What PEP 735's table has of a group decides; poetry's adds to it.
        there = {edge.name for edge in found.groups.get(name, ())}
        added = tuple(edge for edge in alone[name] if edge.name not in there)
        found.groups[name] = found.groups.get(name, ()) + added
    for name, written in called.items():
        for other in _includes(own, called, name, written):
            if other != name:
                found.groups[name] += tuple(
                    edge for edge in found.groups.get(other, ()) if edge not in found.groups[name]
                )


def _includes(own: Entry, called: Mapping[str, str], name: str, written: str) -> list[str]:
    """The groups that a group of poetry's own includes, directly or not."""
    found: list[str] = []
    waiting = [written]
    while waiting:
        for other in own.table(waiting.pop()).texts("include-groups"):
            known = normalised(other, own)
            if known not in found:
                found.append(known)
                waiting += [called[known]] if known in called else []
    return [one for one in found if one != name]


def _lines(table: Entry, group: str, root: Path) -> tuple[Edge, ...]:
    here = Entry(table.file, f"group {group}", {})
    return tuple(
        edge for name, given in table.data.items() for edge, _ in requirements(name, given, here, root)
    )
