"""The real tox-poetry-installer still installed beside tox-wheelfarm, as on the day that a project moves."""

import os
import subprocess
import sys

import pytest
from uv import find_uv_bin


@pytest.fixture
def run(bench, tmp_path):
    """Runs tox with the last release of that plugin on its path; gives the exit code and what was said."""
    place = tmp_path / "beside"
    command = [find_uv_bin(), "--no-config", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
    command += ["--python", sys.executable, "tox-poetry-installer==1.0.0b1", "poetry-core==2.2.1"]
    subprocess.run(command, check=True, timeout=120, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"})

    def runs(*words):
        done = subprocess.run(
            [sys.executable, "-m", "tox", *words],
            cwd=bench.root,
            env={**bench.environment(), "PYTHONPATH": str(place)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.returncode, done.stdout

    return runs


def test_the_runner_says_that_the_other_must_go(bench, run):
    """An environment of ours fails with one sentence that says what to uninstall."""
    bench.ini("skip_install = true")
    code, said = run("-e", "a")
    assert code != 0
    assert "tox-poetry-installer is installed beside tox" in said
    assert "uninstall it" in said


def test_environments_of_others_go_on(bench, run):
    """A project that has not moved yet is left alone, and its flags are understood."""
    bench.write("tox.ini", "[testenv:a]\nskip_install = true\ncommands = python -c \"print('went', 'on')\"\n")
    code, said = run("--parallel-install-threads", "2", "--require-poetry", "-e", "a")
    assert code == 0, said
    assert "went on" in said
