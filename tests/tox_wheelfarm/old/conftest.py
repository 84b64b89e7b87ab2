"""Old interpreters, environments of them, and an index of toys."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.pyenv import VERSIONS

from tox_wheelfarm.old_python import make
from tox_wheelfarm.pip import Pip
from tox_wheelfarm.uv import Uv

from .toy_index import ToyIndex


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """What whoever runs the tests has set of pip, uv, virtualenv and Python does not take part."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "VIRTUALENV_", "PYTHON")) and name not in {
            "PIP_CERT",
            "UV_CACHE_DIR",
        }:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def interpreter():
    """The interpreter of a version ("2.7"): pyenv's, or on PATH; a test that has none fails."""

    def find(version):
        below = VERSIONS
        on_path = shutil.which(f"python{version}")
        found = [*([Path(on_path)] if on_path else []), *sorted(below.glob(f"{version}.*/bin/python"))]
        assert found, (
            f"Python {version} is needed for this test: `pyenv install {version}` or python{version} on PATH"
        )
        return found[-1]

    return find


@pytest.fixture
def index():
    """An empty index, at work."""
    toys = ToyIndex()
    yield toys
    toys.stop()


@pytest.fixture(scope="session")
def empty_27(interpreter, tmp_path_factory):
    """One empty environment of 2.7 for all tests that install nothing."""
    path = tmp_path_factory.mktemp("empty") / "py27"
    make(path, interpreter("2.7"), Uv(), system_site_packages=False)
    return path


@pytest.fixture
def empty(empty_27):
    """Takes away whatever was installed into the environment of 2.7, faster than its pip does."""
    places = (empty_27 / "bin", empty_27 / "lib/python2.7/site-packages")
    before = {path for place in places for path in place.iterdir()}

    def clean():
        for path in {path for place in places for path in place.iterdir()} - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return clean


@pytest.fixture
def py27(empty_27, empty):
    """The same environment for a test that installs: what it adds is taken away afterwards."""
    yield empty_27
    empty()


@pytest.fixture
def pip_of(index, tmp_path):
    """The pip of an environment, which asks the index of toys and keeps its files below the test's folder."""

    def build(environment, **more):
        variables = {
            "PIP_INDEX_URL": index.url,
            "PIP_RETRIES": "0",
            "PIP_CACHE_DIR": str(tmp_path / "pip-cache"),
        }
        return Pip(environment / "bin/python", variables=variables, cache=tmp_path / "kept", **more)

    return build


@pytest.fixture
def imported():
    """What an expression is after an import, in an environment; None if the module cannot be imported."""

    def ask(environment, module, expression):
        code = f"import {module}; print({expression})"
        command = [str(environment / "bin/python"), "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    return ask
