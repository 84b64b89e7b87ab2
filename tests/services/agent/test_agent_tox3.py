"""What the real tox 3 does in a job, which drives Python 2.7 in a machine: here with the Python of this host."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from tests.services.agent_process import fill_guest
from uv import find_uv_bin

from .conftest import SITE_PACKAGES, AgentHost

PROJECT = {
    "setup.py": "from setuptools import setup\nsetup(name='toy', version='1.0', py_modules=['toy'])\n",
    "toy.py": "ANSWER = 42\n",
    "test_toy.py": "import toy\ndef test_answer():\n    assert toy.ANSWER == 42\n",
    "tox.ini": f"""
        [tox]
        envlist = one
        [testenv]
        setenv = PYTHONPATH = {SITE_PACKAGES}
        commands = python -m pytest -p no:cacheprovider {{posargs}}
        """,
}


@pytest.fixture(scope="module")
def tox3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with what the image's lock file of tox 3 says, and nothing else."""
    folder = tmp_path_factory.mktemp("tox3") / "venv"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", "/usr/bin/python3", folder], check=True, timeout=120)
    with as_file(files("farm_images") / "guest_tools" / "tox3.txt") as lock:
        command = [uv, "pip", "install", "-q", "--python", folder, "--require-hashes", "-r", lock]
        subprocess.run(command, check=True, timeout=300)
    return folder


@pytest.fixture
def agent(tox3: Path) -> Iterator[AgentHost]:
    """A running agent whose tox 3 is a real one."""
    with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name:
        fill_guest(Path(name), tox3=tox3)
        host = AgentHost(Path(name))
        try:
            yield host
        finally:
            host.close()


def test_a_project_without_a_build_backend(agent: AgentHost) -> None:
    """Tox 3 makes the source distribution by `setup.py sdist`, installs it and runs the tests, step by step."""
    stream = agent.run(PROJECT, tool="tox3")
    for step in ("create", "package", "install", "commands"):
        assert stream.statuses(f"farm:{step}", "one")[-1:] == ["success"], (step, stream.log)
    assert stream.tests() == {"test_toy.py::test_answer": "success"}, stream.log
    assert stream.job["exit_code"] == 0


def test_a_package_that_cannot_be_built(agent: AgentHost) -> None:
    """A setup.py that fails is a failed package step, and no command runs."""
    stream = agent.run(PROJECT | {"setup.py": "raise RuntimeError('cannot build')\n"}, tool="tox3")
    assert stream.statuses("farm:package", "one") == ["inprogress", "fail"], stream.log
    assert stream.statuses("farm:commands") == []
    assert "cannot build" in stream.log


def test_what_commands_print_is_not_in_the_result(agent: AgentHost) -> None:
    """However much a project prints, the result of tox 3 is whole as well."""
    loud = "for i in range(20): print('loud' * 250000)"
    ini = f'[tox]\nenvlist = one\nskipsdist = true\n[testenv]\ncommands = python -c "{loud}"\n'
    stream = agent.run({"tox.ini": ini}, tool="tox3")
    (result,) = [e.file_bytes or b"" for e in stream.events if e.file_name == "tox-result.json"]
    (one,) = json.loads(result)["testenvs"].values()
    assert [each["retcode"] for each in one["test"]] == [0]
    assert len(result) < 100_000


def test_plugins_leave_the_environment(agent: AgentHost) -> None:
    """The plugins for tests are in an environment of tox 3 while its commands run, and not after."""
    look = "import glob, sysconfig; print('pth', glob.glob(sysconfig.get_path('purelib') + '/wheelfarm*.pth') != [])"
    ini = f'[tox]\nenvlist = one\nskipsdist = true\n[testenv]\ncommands = python -c "{look}"\n'
    stream = agent.run({"tox.ini": ini}, tool="tox3")
    assert "pth True" in stream.log
    assert list((agent.root / "home/job").glob("**/wheelfarm*.pth")) == []
