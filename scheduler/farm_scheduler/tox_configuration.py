"""Finds and reads a project's tox configuration, statically.

Called by planning with the project's files. The order of the files is tox's own. It never imports tox, never
runs `toxfile.py` or anything else of the project.
"""

import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from farm_scheduler.errors import PlanError
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_environment import ToxConfiguration
from farm_scheduler.tox_ini import read_ini
from farm_scheduler.tox_toml import read_toml


def read_configuration(files: ProjectFiles, *, also: Iterable[str] = ()) -> ToxConfiguration | None:
    """The configuration that a bare `tox` in the project's folder would use; None when there is none.

    `also` names environments to read besides those that it lists.

    Raises:
        PlanError: the file that tox would use cannot be read.
    """
    text = files.text("tox.ini")
    if text is not None:
        return read_ini(text, "tox.ini", also=also)
    text = files.text("setup.cfg")
    if text is not None:
        found = read_ini(text, "setup.cfg", core="tox:tox", also=also) if "[tox:tox]" in text else None
        if found is not None:
            return found
    return _from_pyproject(files, also) or _from_tox_toml(files, also)


def read_pyproject(files: ProjectFiles) -> Mapping[str, Any]:
    """The project's pyproject.toml as a table; empty when there is none.

    Raises:
        PlanError: it is not TOML.
    """
    return _parse(files.text("pyproject.toml") or "", "pyproject.toml")


def _from_pyproject(files: ProjectFiles, also: Iterable[str]) -> ToxConfiguration | None:
    root = read_pyproject(files)
    tool = root.get("tool")
    table = tool.get("tox") if isinstance(tool, Mapping) else None
    if not isinstance(table, Mapping):
        return None
    if set(table) - {"legacy_tox_ini"}:
        return read_toml(table, "pyproject.toml [tool.tox]", root=root, prefix="tool.tox.", also=also)
    legacy = table.get("legacy_tox_ini")
    return read_ini(legacy, "pyproject.toml legacy_tox_ini", also=also) if isinstance(legacy, str) else None


def _from_tox_toml(files: ProjectFiles, also: Iterable[str]) -> ToxConfiguration | None:
    text = files.text("tox.toml")
    return None if text is None else read_toml(_parse(text, "tox.toml"), "tox.toml", also=also)


def _parse(text: str, file: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise PlanError(f"{file} is not TOML: {error}; correct it", file=file) from error
    except RecursionError as error:
        raise PlanError(f"{file} is nested deeper than any project needs; correct it", file=file) from error
