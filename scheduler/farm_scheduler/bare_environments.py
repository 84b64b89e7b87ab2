"""The environments `py`, `py3` and `python`: whatever Python tox runs on, and here one for each Python of the farm.

Called by planning. A project that lists `py` leaves the choice of the Python to the caller, who writes `tox -e py312`
to choose; so does the farm, as long as nothing in the configuration is written for `py` itself. Text only, as in
the readers of tox configuration, which read the new names as they would any other.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from farm_scheduler.inference import environment_name, runs_unasked
from farm_scheduler.interpreters import PythonRequest, SystemImage, name_order, read_request
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.tox_configuration import read_configuration
from farm_scheduler.tox_environment import ToxConfiguration, ToxEnvironment
from farm_scheduler.tox_factors import named_python

BARE = ("py", "py3", "python", "python3")
"""Factors that name no version."""

EACH_PYTHON = "py is run as pyXY, as by `tox -e pyXY`, on each Python that the project allows"
"""What the plan says of it."""

_FILES = ("tox.ini", "setup.cfg", "pyproject.toml", "tox.toml")


def for_each_python(
    tox: ToxConfiguration,
    files: ProjectFiles,
    metadata: ProjectMetadata,
    systems: Sequence[SystemImage],
    *,
    named: Iterable[str] = (),
    also: Iterable[str] = (),
) -> ToxConfiguration:
    """The configuration with `py` replaced by `py310`, `py311` and so on; unchanged where the project chose itself.

    It chose where an environment has a Python of its own, or where a section or a condition is for `py`. A name such as
    `py-cov` is spread like `py`. The Pythons are those of the systems that the project's metadata allow; PyPy and
    free-threaded builds only if it claims them, or if they are `named` by person or project.

    Raises:
        PlanError: the configuration cannot be read.
    """
    environments = dict(tox.environments) or {"py": ToxEnvironment(name="py")}
    bare = [name for name in environments if _is_bare(name) and not environments[name].base_python]
    if not bare or any(_chosen(each) for each in environments.values()):
        return tox
    text = "\n".join(files.text(name) or "" for name in _FILES)
    bare = [name for name in bare if not _is_meant(_factor(name), text)]
    requests = [request for request in map(read_request, named) if request is not None]
    new = {name: _names(name, metadata, systems, requests) for name in bare}
    wanted = [each for names in new.values() for each in names]
    again = read_configuration(files, also=[*also, *wanted])
    if not wanted or again is None:
        return tox
    names = [each for name in environments for each in new.get(name) or [name]]
    kept = {name: again.environments.get(name) or environments[name] for name in names}
    listed = tuple(each for name in tox.env_list or tuple(environments) for each in new.get(name) or [name])
    return replace(tox, env_list=listed, environments=kept)


def _is_bare(name: str) -> bool:
    return _factor(name) in BARE


def _factor(name: str) -> str:
    return name.partition("-")[0]


def _chosen(environment: ToxEnvironment) -> bool:
    """Whether it has a Python of its own."""
    named = named_python(environment.name)
    texts = [named] if named is not None else environment.base_python
    return any(re.search(r"\d\.?\d|pypy", text) for text in texts)


def _is_meant(factor: str, text: str) -> bool:
    """Whether a section or the condition of a line is for this factor."""
    word = rf"(?<![\w.]){factor}(?![\w.])"
    section = rf"^\s*\[(?:testenv:|(?:tool\.tox\.)?env\.)[^\]]*{word}"
    condition = rf"^[^=#\n:]*(?:=\s*)?!?{word}[^=#\n:]*:\s"
    return re.search(f"{section}|{condition}", text, re.MULTILINE) is not None


def _names(
    name: str,
    metadata: ProjectMetadata,
    systems: Sequence[SystemImage],
    requests: Sequence[PythonRequest],
) -> list[str]:
    rest = name[len(_factor(name)) :]
    pythons = {
        each.name
        for system in systems
        for each in system.working()
        if metadata.allows(each.version)
        and (runs_unasked(each, metadata) or any(request.fits(each) for request in requests))
    }
    if _factor(name).endswith("3"):
        pythons = {python for python in pythons if not python.startswith("2")}
    return [environment_name(python) + rest for python in sorted(pythons, key=name_order)]
