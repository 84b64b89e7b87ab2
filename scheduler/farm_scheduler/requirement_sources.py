"""Where a project without tox configuration says what its tests need: extras, groups, files, tables of other tools.

Called by inference. It reads what is declared; nothing is resolved or fetched.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from typing import Any

from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from farm_scheduler.cibuildwheel import wheel_settings
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.tool_needs import hatch_features, tool_groups
from farm_scheduler.tox_configuration import read_pyproject

FIRST = ("test", "tests", "testing")
SECOND = ("dev",)
"""Taken only where nothing of the first kind is there: `dev` often brings linters and documentation along."""

MOST = 500
"""Requirements of one group."""

_FILES = (
    r"requirements[-_.]({0})\.txt", r"({0})[-_.]requirements\.txt", r"requirements/({0})\.txt",
    r"({0})/requirements\.txt", r"requirements/requirements[-_.]({0})\.txt",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TestNeeds:
    """What the tests of a project need besides the project.

    Attributes:
        extras: of the project.
        requirements: from dependency groups, as pip reads them.
        files: requirement files below the root.
        said: where all that was found, for a person.
        named: the packages that they name without a condition.
    """

    __test__ = False  # pytest would take the name for a test class

    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()


def find_needs(files: ProjectFiles, metadata: ProjectMetadata, *, of_wheels: bool = False) -> TestNeeds:
    """What the project declares for its tests; nothing when it declares nothing.

    With `of_wheels` what cibuildwheel is told comes first, as its own command runs the tests.
    """
    kinds = [(_of_kind, FIRST), (_of_wheels, ()), (_of_kind, SECOND), (_of_tools, FIRST), (_of_tools, SECOND)]
    if of_wheels:
        kinds.insert(0, (_of_wheels, ()))
    for kind, names in kinds:
        found = kind(names, files, metadata)
        if found.said:
            return found
    return TestNeeds()


def _of_wheels(_: tuple[str, ...], files: ProjectFiles, metadata: ProjectMetadata) -> TestNeeds:
    """What cibuildwheel installs before it tests a wheel."""
    settings = wheel_settings(files)
    requirements = dict.fromkeys(each for each in settings.requires if _is_requirement(each))
    said = ["test-requires"] if requirements else []
    for name in settings.groups:
        found = _resolved(_groups(files), name)
        requirements.update(dict.fromkeys(found))
        said += [f"test-groups ({name})"] if found else []
    extras = tuple(sorted(set(settings.extras).intersection(_extras(files, metadata))))
    said += [f"test-extras ({extra})" for extra in extras]
    return TestNeeds(
        extras=extras,
        requirements=tuple(requirements),
        said=tuple(f"cibuildwheel's {each}" for each in said),
        named=frozenset(_named(requirements)),
    )


def _is_requirement(text: str) -> bool:
    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def _of_tools(names: tuple[str, ...], files: ProjectFiles, metadata: ProjectMetadata) -> TestNeeds:
    """What the tables of Poetry, PDM and hatch say, where nothing that every tool reads says it."""
    found = [(said, requirements) for said, requirements in tool_groups(files, names) if requirements]
    extras = sorted(set(hatch_features(files, names)).intersection(_extras(files, metadata)))
    requirements = dict.fromkeys(each for _, group in found for each in group)
    return TestNeeds(
        extras=tuple(extras),
        requirements=tuple(requirements),
        said=(*(said for said, _ in found), *(f"hatch's feature {extra}" for extra in extras)),
        named=frozenset(_named(requirements)),
    )


def _of_kind(names: tuple[str, ...], files: ProjectFiles, metadata: ProjectMetadata) -> TestNeeds:
    extras = tuple(sorted(set(_extras(files, metadata)).intersection(names)))
    groups = _groups(files)
    chosen = [name for name in groups if canonicalize_name(name) in names]
    requirements: dict[str, None] = {}
    used = []
    for name in chosen:
        found = _resolved(groups, name)
        if found:
            requirements.update(dict.fromkeys(found))
            used.append(name)
    patterns = [re.compile(each.format("|".join(names))) for each in _FILES]
    paths = tuple(sorted(path for path in files.texts if any(each.fullmatch(path) for each in patterns)))
    said = [f"the extra {name}" for name in extras]
    said += [f"the dependency group {name}" for name in used]
    lines = [line for path in paths for line in files.texts[path].splitlines()]
    return TestNeeds(
        extras=extras,
        requirements=tuple(requirements),
        files=paths,
        said=(*said, *paths),
        named=frozenset(_named([*requirements, *lines])),
    )


def _named(lines: Iterable[str]) -> Iterator[str]:
    """The packages that requirement lines name, whatever the Python; the rest of a requirement file is skipped."""
    for line in lines:
        try:
            requirement = Requirement(line.partition(" #")[0].strip())
        except InvalidRequirement:
            continue
        if requirement.marker is None:
            yield canonicalize_name(requirement.name)


def _extras(files: ProjectFiles, metadata: ProjectMetadata) -> list[str]:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(files.text("setup.cfg") or "")
    except IniError:
        return list(metadata.extras)
    section = "options.extras_require"
    options = parser.options(section) if parser.has_section(section) else []
    return [*metadata.extras, *options]


def _groups(files: ProjectFiles) -> Mapping[str, Any]:
    groups = read_pyproject(files).get("dependency-groups")
    return groups if isinstance(groups, Mapping) else {}


def _resolved(groups: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The requirements of a group, those that it includes as well (PEP 735); none when it is malformed."""
    try:
        if _size(groups, canonicalize_name(name), {}) > MOST:
            return ()
        return tuple(resolve_dependency_groups(groups, name))
    except (ValueError, TypeError, LookupError, RecursionError, ExceptionGroup):
        return ()


def _size(groups: Mapping[str, Any], name: str, known: dict[str, int]) -> int:
    """How many requirements a group has with all that it includes; a few lines can include each other by millions."""
    if name not in known:
        known[name] = MOST  # for a group that includes itself
        entries = next((each for key, each in groups.items() if canonicalize_name(key) == name), ())
        included = [each.get("include-group") for each in entries if isinstance(each, Mapping)]
        sizes = [_size(groups, canonicalize_name(str(each)), known) for each in included]
        known[name] = len(entries) + sum(sizes)
    return known[name]
