"""What tox offers beside `run`: in parallel, provisioned, configured, listed, for development."""

import sys
from pathlib import Path

import pytest


@pytest.fixture
def index(index):
    """A package and a plugin."""
    index.release("low", "1.0")
    return index


SLOW_SYSCONFIG = """
import sysconfig, time
fill = getattr(sysconfig, "_init_posix", None)  # another name in some Pythons: then nothing is slowed down
def slow(held):
    time.sleep(0.3)
    fill(held)
if fill:
    sysconfig._init_posix = slow
"""


def test_environments_begin_at_once(bench):
    """What Python fills when it is first asked is whole for every thread, however long that takes."""
    bench.write("toxfile.py", SLOW_SYSCONFIG)
    bench.ini("skip_install = true", "deps = low", envs="a,b")
    run = bench.passes("-p", "2")
    assert run.packages("b") == run.packages("a")


def test_environments_share_one_build_in_parallel(bench):
    """Two environments at once get the same project, each with what it asks for."""
    bench.project("low")
    bench.ini("package = wheel", envs="a,b")
    for _ in range(2):
        run = bench.passes("-p", "2")
        for name in ("a", "b"):
            assert [line.split(" @")[0] for line in run.packages(name)] == ["app", "low==1.0"]


def test_the_configuration_can_be_shown(bench):
    """`tox config` shows our settings, without making anything."""
    bench.ini("skip_install = true", "locked_deps = low", "constraints =", "  low<2,>1", "  x.txt")
    said = bench.tox("config", "-e", "a", "-k", "runner", "locked_deps", "env_python", "prune").said
    assert "runner = wheelfarm" in said
    assert str(bench.env() / "bin/python") in said
    assert not bench.env().exists()


def test_the_settings_may_stand_in_toml(bench):
    """tox.toml with lists and booleans is the same as tox.ini."""
    bench.write(
        "tox.toml",
        'env_list = ["a"]\n[env_run_base]\nrunner = "wheelfarm"\nskip_install = true\ndeps = ["low"]\n'
        'constraints = ["low>=0.5,<2"]\ninstall_project_deps = false\nprune = true\n'
        'locked_deps = []\ncommands = [["python", "-c", "import low"]]\n',
    )
    assert bench.passes().packages() == ["low==1.0"]


def test_a_development_environment_is_made(bench):
    """`tox devenv` makes one with the project in place."""
    bench.project("low")
    bench.ini("package = wheel")
    assert bench.tox("devenv", "-e", "a", "venv").code == 0
    assert next((bench.root / "venv").glob("lib/python*/site-packages/app.pth")).exists()


def test_tox_provisions_itself_with_this_runner(bench, index):
    """Where a project requires something of tox's environment, that one is resolved and not taken from the lock."""
    index.release("tox-thing", "1.0")
    bench.pylock(("low", "1.0"))
    bench.write("tox.ini", "[tox]\nrequires = tox-thing\n[testenv:a]\nskip_install = true\ncommands =\n")
    bench.variables |= {"WHEELFARM_TOX": "1", "WHEELFARM_INSTALLER": "lockfile"}
    # tox itself is not in the toy index: that this is what is missing shows what was asked for.
    said = bench.fails("-e", "a").said
    assert "ResolutionError" in said
    assert "tox" in said
    assert "pylock" not in said


def test_an_interpreter_that_is_not_there_is_toxs_own_message(bench):
    """A missing interpreter is skipped or told as tox does it."""
    bench.ini("skip_install = true", "base_python = python2.2")
    assert "could not find python interpreter" in bench.fails("--skip-missing-interpreters", "false").said


def test_an_interpreter_is_found_by_name(bench):
    """`base_python` may be a version on PATH."""
    major, minor = sys.version_info[:2]
    bench.ini("skip_install = true", f"base_python = python{major}.{minor}", "deps = low")
    bench.variables["PATH"] = f"{Path(sys.executable).resolve().parent}:/usr/bin:/bin"
    assert bench.passes().packages() == ["low==1.0"]


def test_extra_setup_commands_find_everything_installed(bench):
    """They run after the install and before the tests."""
    bench.project("low")
    bench.ini("package = wheel", "extra_setup_commands = python -c 'import app, low'")
    bench.passes("--notest")


def test_an_environment_may_be_left_as_it_is(bench):
    """`--skip-env-install` touches nothing."""
    bench.ini("skip_install = true", "deps = low")
    bench.passes()
    bench.ini("skip_install = true", "deps = nowhere-to-be-had")
    assert bench.passes("--skip-env-install").packages() == ["low==1.0"]


def test_a_list_of_dependencies_is_written_on_wish(bench):
    """`--list-dependencies` says what is installed, after a rebuild too."""
    bench.ini("skip_install = true", "deps = low")
    assert "low==1.0" in bench.passes("--list-dependencies").said
    (bench.env() / "pyvenv.cfg").unlink()
    assert "low==1.0" in bench.passes("--list-dependencies").said
