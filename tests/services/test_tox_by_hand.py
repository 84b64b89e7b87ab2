"""Tox by hand: the program that runs in the guest, run here on toy projects, and what is read from what it leaves."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.tox_by_hand import FOLDER, by_hand_outcomes, script, script_settings

from farm_scheduler.tables import Cell
from farm_workers.guest_command import CommandEnd

ENVIRONMENT = Path(sys.prefix)
SITE_PACKAGES = ENVIRONMENT / f"lib/python3.{sys.version_info.minor}/site-packages"
BASE = {"PYTHONPATH": str(SITE_PACKAGES)}
TOX_INI = f"""
[tox]
no_package = true
[testenv]
set_env =
    PYTHONPATH = {SITE_PACKAGES}
commands =
    python -m pytest test_it.py
    python -m pytest test_it.py
[testenv:own.1]
set_env =
    PYTHONPATH = {SITE_PACKAGES}
    PYTEST_ADDOPTS = -k one
commands = python -m pytest test_it.py
[testenv:bare]
commands = python -c "import sys; sys.exit(3)"
[testenv:uninstalled]
deps = -r nothing.txt
[testenv:elsewhere]
platform = win32
"""
NATIVE = f"""
no_package = true
env_list = ["a.b"]
[env_run_base]
set_env = {{PYTHONPATH = "{SITE_PACKAGES}"}}
commands = [["python", "-m", "pytest", "test_it.py"]]
"""
TEST = "def test_one(): pass\ndef test_two(): assert False\n"


def by_hand(folder: Path, cell: Cell, files: dict[str, str]) -> CommandEnd:
    """Run the guest's program on a project of these files."""
    home, project = folder / "home", folder / "project"
    for path in (home, project):
        path.mkdir()
    for name, text in files.items():
        (project / name).write_text(text)
    settings = script_settings(cell) | {"tool": str(ENVIRONMENT / "bin" / cell.tool)}
    done = subprocess.run(
        [sys.executable, "-I", "-c", script(), json.dumps(settings)],
        cwd=project,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    left = [*home.glob("by-hand/*.xml"), *home.glob("by-hand/tox-result.json")]
    files_left = {f"{FOLDER}/{path.name}": path.read_bytes() for path in left}
    return CommandEnd(exit_code=done.returncode, limit=None, log=done.stdout + done.stderr, files=files_left)


def cell_of(*environments: str, tool: str = "tox", inferred: str | None = None) -> Cell:
    """A cell of these environments."""
    return Cell(
        run_id="r",
        position=0,
        system="debian-12",
        label="c",
        environments=list(environments),
        tool=tool,
        inferred_config=inferred,
    )


def test_environments_of_every_end(tmp_path: Path) -> None:
    """Tests come from pytest's reports, of every run and whatever an environment sets itself; phases from tox."""
    names = ("py", "own.1", "bare", "uninstalled", "elsewhere")
    end = by_hand(tmp_path, cell_of(*names), {"tox.ini": TOX_INI, "test_it.py": TEST})
    outcomes = by_hand_outcomes(cell_of(*names, "absent"), end)
    phases = {name: outcome.phase for name, outcome in outcomes.items()}
    assert phases == {
        "py": "commands",
        "own.1": "success",
        "bare": "commands",
        "uninstalled": "setup",
        "elsewhere": "skipped",
        "absent": "none",
    }, end.log
    # tox ends an environment with its first command that fails.
    assert outcomes["py"].tests == {"test_it.test_one": ["success"], "test_it.test_two": ["fail"]}
    assert outcomes["own.1"].tests == {"test_it.test_one": ["success"]}
    assert outcomes["bare"].tests == {}
    assert end.exit_code != 0


def test_two_runs_of_pytest(tmp_path: Path) -> None:
    """The second pytest of an environment does not overwrite the report of the first."""
    files = {"tox.ini": TOX_INI, "test_it.py": "def test_one(): pass\n"}
    end = by_hand(tmp_path, cell_of("py"), files)
    assert by_hand_outcomes(cell_of("py"), end)["py"].tests == {"test_it.test_one": ["success", "success"]}


@pytest.mark.parametrize("name", ["tox.toml", "pyproject.toml"])
def test_configuration_in_toml(tmp_path: Path, name: str) -> None:
    """An environment that TOML configures keeps the variables of its base."""
    native = NATIVE.replace("[env_run_base]", "[tool.tox.env_run_base]")
    text = NATIVE if name == "tox.toml" else f"[tool.tox]\n{native}"
    end = by_hand(tmp_path, cell_of("a.b"), {name: text, "test_it.py": TEST})
    tests = by_hand_outcomes(cell_of("a.b"), end)["a.b"].tests
    assert tests == {"test_it.test_one": ["success"], "test_it.test_two": ["fail"]}, end.log


def test_an_inferred_configuration(tmp_path: Path) -> None:
    """A project without configuration gets the inferred one as its tox.ini."""
    cell = cell_of("py", inferred=TOX_INI)
    end = by_hand(tmp_path, cell, {"test_it.py": TEST})
    assert by_hand_outcomes(cell, end)["py"].phase == "commands"


def test_the_summary_of_tox_3() -> None:
    """How an environment ended is in the last lines of tox 3."""
    log = """py27 run-test: commands[0] | pytest
___________________________________ summary ____________________________________
  py27: commands succeeded
ERROR:   lint: commands failed
ERROR:  docs: could not install deps [nosuch]; v = InvocationError(...)
SKIPPED:  win: platform mismatch ('linux' does not match 'win32')
"""
    names = ("py27", "lint", "docs", "win", "other")
    end = CommandEnd(exit_code=1, limit=None, log=log, files={})
    outcomes = by_hand_outcomes(cell_of(*names, tool="tox3"), end)
    assert [outcomes[name].phase for name in names] == ["success", "commands", "setup", "skipped", "none"]
