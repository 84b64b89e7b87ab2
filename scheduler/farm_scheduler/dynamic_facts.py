"""Which facts of a plan no file of a project tells: those that only its build knows.

Called by runs and the plan command, which then ask a guest. It reads text, and runs and builds nothing. A plan uses
requires-python, the classifiers and, where no tox configuration says how to test, the extras. The version alone is not
worth a machine: it is only shown.
"""

import re
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from email.parser import HeaderParser
from typing import Any

from farm_scheduler.declaration import read_declaration
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_configuration import read_configuration, read_pyproject
from farm_scheduler.wheel_archive import wheel_of

FACTS = ("requires-python", "classifiers", "extras")

_HEADERS = {
    "requires-python": ("Requires-Python", (1, 2)),
    "classifiers": ("Classifier", (1, 1)),
    "extras": ("Provides-Extra", (2, 1)),
}
"""The header of each fact, and the version of the metadata that has it first; an older file could not say it."""

_KEYS = {
    "requires-python": "requires-python",
    "classifiers": "classifiers",
    "extras": "optional-dependencies",
}
"""The keys of `[project]`, which `dynamic` names (PEP 621)."""

_BARE = re.compile(r"\bsetup\(\s*\)")
_CALL = re.compile(r"\bsetup\(")


def dynamic_facts(files: ProjectFiles) -> tuple[str, ...]:
    """The facts that a plan of this project needs and no file tells.

    Raises:
        PlanError: a file cannot be read.
    """
    if wheel_of(files):
        return ()
    unknown = _unknown(files)
    if "extras" in unknown and read_configuration(files, also=read_declaration(files).environments):
        unknown -= {"extras"}
    return tuple(fact for fact in FACTS if fact in unknown)


def _unknown(files: ProjectFiles) -> frozenset[str]:
    pyproject = read_pyproject(files)
    project = pyproject.get("project")
    info = files.text("PKG-INFO")
    if info is not None:
        return _of_pkg_info(info)
    if isinstance(project, Mapping):
        dynamic = project.get("dynamic")
        named = dynamic if isinstance(dynamic, list) else []
        return frozenset(fact for fact in FACTS if _KEYS[fact] in named)
    return _of_build(files, pyproject)


def _of_pkg_info(text: str) -> frozenset[str]:
    """What an sdist says is believed unless it calls it dynamic (PEP 643): its own build computed it once."""
    headers = HeaderParser().parsestr(text)
    found = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", (headers["Metadata-Version"] or "").strip())
    version = (int(found[1]), int(found[2])) if found else (1, 0)
    dynamic = {each.strip().lower() for each in headers.get_all("Dynamic") or ()}
    return frozenset(
        fact
        for fact, (header, since) in _HEADERS.items()
        if header.lower() in dynamic or (header not in headers and version < since)
    )


def _of_build(files: ProjectFiles, pyproject: Mapping[str, Any]) -> frozenset[str]:
    """Without PKG-INFO and `[project]` the build knows, and setup.cfg where it is setuptools that builds."""
    table = pyproject.get("build-system")
    backend = str(table.get("build-backend", "setuptools")) if isinstance(table, Mapping) else ""
    parser = _setup_cfg(files)
    script = files.text("setup.py")
    if backend and not backend.startswith("setuptools"):
        return frozenset(FACTS)
    if script is None and not (backend or parser.has_section("metadata")):
        return frozenset()  # nothing that could be built
    classifiers = parser.get("metadata", "classifiers", fallback="").strip()
    named_file = classifiers.startswith("file:")
    said = {
        "requires-python": parser.has_option("options", "python_requires"),
        "classifiers": bool(classifiers),
        "extras": parser.has_section("options.extras_require"),
    }
    silent = not (script or "").strip() or _says_nothing(script or "")
    absent = {fact for fact in FACTS if not said[fact] and not silent}
    return frozenset(absent | ({"classifiers"} if named_file else set()))


def _says_nothing(script: str) -> bool:
    """Whether a setup.py only calls `setup()` and leaves all else to setup.cfg."""
    return _BARE.search(script) is not None and len(_CALL.findall(script)) == 1


def _setup_cfg(files: ProjectFiles) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(files.text("setup.cfg") or "")
    except IniError:
        return ConfigParser(interpolation=None)
    return parser
