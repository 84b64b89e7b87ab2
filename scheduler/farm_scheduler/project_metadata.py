"""What a project says of itself, read statically: name, version, which Pythons.

Called by runs and planning. It reads PKG-INFO, pyproject.toml and setup.cfg as text; nothing of the project
is run, so what a project computes at build time stays unknown here.
"""

import re
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass, replace
from email.parser import HeaderParser
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from farm_scheduler.errors import PlanError
from farm_scheduler.guest_text import clean_line
from farm_scheduler.interpreters import version_order
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_configuration import read_pyproject

MAX_SHOWN = 80
"""Characters of a wrong specifier that a message shows."""

_CLASSIFIER = re.compile(r"Programming Language :: Python :: ([23]\.[0-9]{1,2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMetadata:
    """The static metadata of a project; what is not said is None or empty.

    Attributes:
        requires_python: a version specifier as written; whoever reads one sees that it is one.
        requires_python_file: the file that says so.
        ignored_requires_python: what stands there and is no specifier.
        extras: names of the extras that the metadata lists.
    """

    name: str | None = None
    version: str | None = None
    requires_python: str | None = None
    requires_python_file: str = "PKG-INFO"
    ignored_requires_python: str | None = None
    classifiers: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def claimed(self) -> tuple[str, ...]:
        """The Pythons that classifiers name and requires-python does not forbid, oldest first: `3.12`."""
        found = {match[1] for each in self.classifiers if (match := _CLASSIFIER.fullmatch(each.strip()))}
        return tuple(sorted((each for each in found if self.may_allow(each)), key=version_order))

    @property
    def claims_pypy(self) -> bool:
        """Whether a classifier names PyPy."""
        return any(each.strip().endswith("Python :: Implementation :: PyPy") for each in self.classifiers)

    @property
    def claims_free_threading(self) -> bool:
        """Whether a classifier names free threading, however stable."""
        wanted = "Programming Language :: Python :: Free Threading"
        return any(each.strip().startswith(wanted) for each in self.classifiers)

    def may_allow(self, python: str) -> bool:
        """Whether requires-python allows any release of a Python such as `3.12`."""
        if not self.requires_python or "." not in python:
            return True
        specifiers = SpecifierSet(self.requires_python)
        return any(specifiers.contains(f"{python}.{micro}", prereleases=True) for micro in (0, 1, 5, 10, 99))

    def allows(self, version: str) -> bool:
        """Whether the project allows a Python version such as `3.12.1`; of `3.12`, whether it may be allowed.

        Without `requires-python` Python 2 needs a classifier that names it, and Python 3 must not be older than
        the oldest that a classifier names.
        """
        if self.requires_python:
            if version.count(".") == 1:
                return self.may_allow(version)
            return SpecifierSet(self.requires_python).contains(version, prereleases=True)
        if version.startswith("2."):
            return any(each.startswith("Programming Language :: Python :: 2") for each in self.classifiers)
        oldest = next((each for each in self.claimed if each.startswith("3.")), None)
        return oldest is None or version_order(version) >= version_order(oldest)


def read_metadata(files: ProjectFiles) -> ProjectMetadata:
    """The metadata of a project, nearest to what was released first.

    Raises:
        PlanError: pyproject.toml is not TOML, or a requires-python that the project's own build would refuse.
    """
    pyproject = read_pyproject(files)
    for found in (_from_pkg_info(files), _from_pyproject(pyproject), _from_setup_cfg(files)):
        if found is not None:
            return found
    return ProjectMetadata()


def without_strange_python(metadata: ProjectMetadata) -> ProjectMetadata:
    """The same, with a requires-python that is no specifier put aside: pip ignores it in what was built already."""
    said = metadata.requires_python
    if said is None or _is_specifier(said):
        return metadata
    return replace(metadata, requires_python=None, ignored_requires_python=_shown(said))


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def _specifier(text: str | None, key: str, file: str) -> str | None:
    """What a source says, which is still to be built.

    Raises:
        PlanError: it is no specifier.
    """
    if text is not None and not _is_specifier(text):
        sentence = f"{file}: {key} {_shown(text)!r} is no version specifier; write it like >=3.9"
        raise PlanError(sentence, file=file, key=key)
    return text


def _shown(text: str) -> str:
    return clean_line(text)[:MAX_SHOWN]


def _from_pkg_info(files: ProjectFiles) -> ProjectMetadata | None:
    text = files.text("PKG-INFO")
    if text is None:
        return None
    headers = HeaderParser().parsestr(text)
    return without_strange_python(
        ProjectMetadata(
            name=headers["Name"],
            version=headers["Version"],
            requires_python=headers["Requires-Python"],
            classifiers=tuple(headers.get_all("Classifier") or ()),
            extras=tuple(headers.get_all("Provides-Extra") or ()),
        )
    )


def _from_pyproject(root: Mapping[str, Any]) -> ProjectMetadata | None:
    project = root.get("project")
    if not isinstance(project, Mapping):
        return None
    extras = project.get("optional-dependencies")
    return ProjectMetadata(
        name=_text(project.get("name")),
        version=_text(project.get("version")),
        requires_python=_specifier(
            _text(project.get("requires-python")), "requires-python", "pyproject.toml"
        ),
        requires_python_file="pyproject.toml",
        classifiers=_texts(project.get("classifiers")),
        extras=tuple(extras) if isinstance(extras, Mapping) else (),
    )


def _from_setup_cfg(files: ProjectFiles) -> ProjectMetadata | None:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(files.text("setup.cfg") or "")
    except IniError:
        return None
    if not parser.has_option("metadata", "name"):
        return None
    version = parser.get("metadata", "version", fallback=None)
    return ProjectMetadata(
        name=parser.get("metadata", "name"),
        version=None if version is None or ":" in version else version,
        requires_python=_specifier(
            parser.get("options", "python_requires", fallback=None), "python_requires", "setup.cfg"
        ),
        requires_python_file="setup.cfg",
        classifiers=tuple(parser.get("metadata", "classifiers", fallback="").split("\n")),
        extras=tuple(parser.options("options.extras_require"))
        if parser.has_section("options.extras_require")
        else (),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()
