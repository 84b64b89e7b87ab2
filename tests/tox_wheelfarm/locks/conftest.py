"""The committed lock files, and targets to select for."""

import shutil
from functools import cache
from pathlib import Path

import pytest
from hypothesis import strategies

from tox_wheelfarm.locks import files, platforms
from tox_wheelfarm.locks.project import Project

FILES = Path(__file__).parent / "files"
PYTHONS = ("3.9.0", "3.9.18", "3.10.13", "3.11.7", "3.12.1", "3.13.0", "3.14.2", "3.15.0")


@pytest.fixture(scope="session")
def committed():
    """The folder of a committed project."""
    return lambda project: FILES / project


@pytest.fixture
def copied(tmp_path):
    """A copy of a committed project, to be changed."""

    def copy(project):
        return Path(shutil.copytree(FILES / project, tmp_path / project))

    return copy


@pytest.fixture(scope="session")
def read():
    """Reads the lock file of a folder as an environment would; a committed one only once."""

    def reading(folder, name=""):
        return files.read(files.find(folder, name), Project.read(folder))

    once = cache(reading)
    return lambda folder, name="": (once if FILES in folder.parents else reading)(folder, name)


@pytest.fixture(scope="session")
def targets():
    """A strategy of targets: every Python from 3.9 to 3.15 on every platform, of every kind that has one."""
    kinds = strategies.sampled_from([("cpython", False), ("cpython", True), ("pypy", False)])

    def target(python, system, kind):
        implementation, threaded = kind
        threaded = threaded and int(python.split(".")[1]) >= 13
        return platforms.target(python, system, implementation=implementation, free_threaded=threaded)

    return strategies.builds(
        target, strategies.sampled_from(PYTHONS), strategies.sampled_from(sorted(platforms.SYSTEMS)), kinds
    )
