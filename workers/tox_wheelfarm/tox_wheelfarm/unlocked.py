"""What the settings of a lock file ask for where no lock file decides: the same names, without its versions.

Called by `decision` with `installer = latest`, `lowest` and `constraints`, and by the runner for extras. So an
environment that takes pytest from its lock has pytest there too. It never reads a lock file; a range is the one that
pyproject.toml has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import canonicalize_name

from tox_wheelfarm.errors import ExtraNotFoundError
from tox_wheelfarm.options import LOWEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tox_wheelfarm.alternatives import Alternatives
    from tox_wheelfarm.decision import Case
    from tox_wheelfarm.locks.graph import Edge
    from tox_wheelfarm.locks.project import Project
    from tox_wheelfarm.options import Options
    from tox_wheelfarm.order import Order

MAIN = "main"
"""The project's own dependencies, among the groups."""


class Declared(NamedTuple):
    """What a project declares: requirements by group, and by extra of its own."""

    groups: Mapping[str, tuple[Edge, ...]]
    extras: Mapping[str, tuple[Edge, ...]]

    def of(self, name: str) -> Iterator[Edge]:
        """Every requirement of a name."""
        for part in self:
            yield from (edge for edges in part.values() for edge in edges if edge.name == name)


def asks(options: Options, order: Order) -> bool:
    """Whether there is anything of the kind in the settings."""
    named = options.locked_deps or options.poetry_dep_groups or order.older_groups
    return bool(named or options.install_dev_deps or options.install_project_deps)


def requirements(case: Case, order: Order) -> Alternatives:
    """The requirements (PEP 508) for `locked_deps`, groups and `install_project_deps` of an environment.

    Raises:
        ExtraNotFoundError: the project has no such group.
        LockedDepVersionConflictError, LockFileError: a name is more than a name; pyproject.toml or the Pipfile cannot
            be read.
        ResolutionError: there are too many ways to read the ranges.
    """
    from tox_wheelfarm.alternatives import Alternatives, alternatives

    options = case.options
    if not asks(options, order):
        return Alternatives()
    from tox_wheelfarm.locked import name
    from tox_wheelfarm.locks.facts import target
    from tox_wheelfarm.locks.graph import Edge

    declared = _declared(case.root)
    wanted = _wanted(case, order, frozenset(declared.groups))
    environment = target(case.python).environment
    edges = [edge for group in sorted(wanted) for edge in declared.groups.get(group, ())]
    edges = [edge for edge in edges if edge.condition.holds(environment)]
    for asked in map(name, options.locked_deps):
        # As for a lock file, what each of them allows counts, whichever groups are asked for.
        ranges = [edge for edge in declared.of(asked) if edge.condition.holds(environment)]
        edges += ranges or [Edge(asked)]
    return alternatives(edges, lowest=options.installer == LOWEST)


def _wanted(case: Case, order: Order, groups: frozenset[str]) -> set[str]:
    options = case.options
    wanted: set[str] = {*options.poetry_dep_groups, *order.older_groups}
    for group in sorted(wanted - groups):
        raise ExtraNotFoundError(
            f"poetry_dep_groups: {group} is no group of {case.root / 'pyproject.toml'}, which has "
            f"{', '.join(sorted(groups - {MAIN})) or 'none'}"
        )
    if options.install_dev_deps:
        wanted |= groups - {MAIN}
    if options.install_project_deps and not (order.artifacts or order.deps_only):
        wanted.add(MAIN)
    return wanted


def know_extras(root: Path, extras: frozenset[str]) -> None:
    """Nothing, if a project has these extras (normalised), or only its build backend knows what it has.

    Raises:
        ExtraNotFoundError: it does not.
    """
    from tox_wheelfarm.locks.project import Project

    project = Project.read(root)
    known = project.extras
    if known is None:
        return
    there = {*known, *map(canonicalize_name, project.tool("poetry").table("extras").values)}
    if strange := sorted(extras - there):
        raise ExtraNotFoundError(
            f"extras: {', '.join(strange)} is not in {root / 'pyproject.toml'}, which has "
            f"{', '.join(sorted(there)) or 'none'}"
        )


def older_groups(root: Path, groups: frozenset[str]) -> frozenset[str]:
    """Of these groups of a project those (normalised) that are not in `[dependency-groups]`, which tox reads itself.

    Raises:
        ExtraNotFoundError: the project does not have one of them at all.
        LockFileError: pyproject.toml or the Pipfile cannot be read.
    """
    from tox_wheelfarm.locks.project import Project

    table = Project.read(root).document.get("dependency-groups")
    newer: set[str] = set(map(canonicalize_name, table)) if isinstance(table, dict) else set()
    older: frozenset[str] = frozenset(map(canonicalize_name, groups)) - newer
    known = {*newer, *(set(_declared(root).groups) - {MAIN} if older else ())}
    if strange := sorted(older - known):
        raise ExtraNotFoundError(
            f"dependency_groups: {', '.join(strange)} is not in {root / 'pyproject.toml'}, which has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    return older


def _declared(root: Path) -> Declared:
    from tox_wheelfarm import pdm_folders
    from tox_wheelfarm.locks import poetry_project
    from tox_wheelfarm.locks.entry import Entry
    from tox_wheelfarm.locks.project import Project

    project = pdm_folders.plain(Project.read(root))
    entry = Entry("pyproject.toml", "", {})
    asked = poetry_project.asked(project.document, root)
    found = dict(asked.groups)
    for group, lines in project.groups.items():
        # A group may stand in the tables of several tools.
        more = (poetry_project.requirement(line, entry) for line in lines)
        found[group] = (*found.get(group, ()), *more)
    found.setdefault(MAIN, ())
    if project.pipfile and not any(found.values()):
        return Declared(_pipfile(project), {})
    # An extra of the project itself is that extra's dependencies.
    groups = {
        group: tuple(one for edge in edges for one in _own(edge, asked.own, asked.extras))
        for group, edges in found.items()
    }
    return Declared(groups, asked.extras)


def _pipfile(project: Project) -> dict[str, tuple[Edge, ...]]:
    """What stands in a Pipfile, by category as its lock has them; a folder is relative to it."""
    from tox_wheelfarm.locks import pipfile_staleness, poetry_project
    from tox_wheelfarm.locks.entry import Entry

    whole = Entry("Pipfile", "", project.pipfile)
    found = {}
    for category, table in pipfile_staleness.sections(whole):
        lines = (pipfile_staleness.line(name, given, project.root) for name, given in table.data.items())
        group = MAIN if category == "default" else category
        found[group] = tuple(poetry_project.requirement(line, table) for line in lines)
    return found


def _own(edge: Edge, own: str, extras: Mapping[str, tuple[Edge, ...]]) -> Iterator[Edge]:
    if edge.name != own:
        yield edge
        return
    for extra in sorted(edge.extras):
        yield from extras.get(extra, ())
