"""What Poetry, PDM and hatch are told of a project's tests: dependencies, and scripts that run them.

Called by requirement_sources and runners for a project without tox configuration. It reads tables; none of these tools
is run.
"""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from farm_scheduler.poetry_requirements import poetry_requirements
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_configuration import read_pyproject

MOST = 500
"""Requirements of one group."""

SCRIPTS = ("test", "tests", "testing", "cov", "test-cov", "run-coverage")
"""What a script of hatch that runs tests is called."""


def tool_groups(files: ProjectFiles, names: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """The groups of these names: where each stands, and its requirements, if there are any."""
    tool = _table(read_pyproject(files).get("tool"))
    poetry, pdm = _table(tool.get("poetry")), _table(tool.get("pdm"))
    for name, group in _table(poetry.get("group")).items():
        if name in names:
            yield f"Poetry's group {name}", _bounded(poetry_requirements(_table(group).get("dependencies")))
    if "dev" in names:
        yield "Poetry's dev-dependencies", _bounded(poetry_requirements(poetry.get("dev-dependencies")))
    for name, group in _table(pdm.get("dev-dependencies")).items():
        if name in names:
            yield f"PDM's group {name}", _bounded(_plain(group))
    for name, environment in hatch_environments(files).items():
        if name in names or ("dev" in names and name in {"default", "hatch-test"}):
            lists = [_table(environment).get(key) for key in ("dependencies", "extra-dependencies")]
            yield f"hatch's environment {name}", _bounded(each for found in lists for each in _plain(found))


def hatch_features(files: ProjectFiles, names: tuple[str, ...]) -> Iterator[str]:
    """The extras that hatch's environments of these names install."""
    for name, environment in hatch_environments(files).items():
        if name in names:
            features = _table(environment).get("features")
            yield from (str(each) for each in (features if isinstance(features, list) else [])[:MOST])


def hatch_test_scripts(files: ProjectFiles) -> Iterator[tuple[str, str]]:
    """The scripts of hatch that run tests: `ENVIRONMENT:SCRIPT`, and its commands."""
    for name, environment in hatch_environments(files).items():
        for script, said in _table(_table(environment).get("scripts")).items():
            if script in SCRIPTS:
                lines = said if isinstance(said, list) else [said]
                yield f"{name}:{script}", "\n".join(map(str, lines[:MOST]))


def hatch_environments(files: ProjectFiles) -> Mapping[str, Any]:
    """The environments of hatch, from pyproject.toml and hatch.toml; a hatch.toml that cannot be read has none."""
    hatch = _table(_table(read_pyproject(files).get("tool")).get("hatch"))
    try:
        own = tomllib.loads(files.text("hatch.toml") or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        own = {}
    return {**_table(hatch.get("envs")), **_table(own.get("envs"))}


def _plain(said: object) -> Iterator[str]:
    """The entries of a list that pip reads; no editable ones and no paths."""
    for each in said if isinstance(said, list) else ():
        try:
            yield str(Requirement(str(each)))
        except InvalidRequirement:
            continue


def _bounded(requirements: Iterator[str]) -> list[str]:
    found = [each for each, _ in zip(requirements, range(MOST + 1), strict=False)]
    return found if len(found) <= MOST else []


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
