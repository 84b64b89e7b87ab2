"""The other systems: baked by the run that needs them, every Python started, and a project run on the special ones."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .farm import Farm, Said, said

MINIFARM = Path(__file__).parent.parent / "minifarm"
ALL = "WHEELFARM_TEST_ALL"
"""Set by `./farm test all`: systems that a plain `./farm test` leaves out for the time of their bake."""

SYSTEMS = ("forky", "debian-13") if os.environ.get(ALL) else ("forky",)
NEWEST = {"forky": "3.15", "debian-13": "3.13"}
SPECIAL = ("2.7", "pypy3.11")
"""Run where the system has them, beside its newest Python."""

SETUP = 'from setuptools import setup\n\nsetup(name="toy", version="1.0", py_modules=[])\n'
DECLARED = '[tool.wheelfarm.environment]\nTOY_COLOUR = "deep blue"\n'
TEST_DECLARED = """
import os

def test_declared():
    assert os.environ["TOY_COLOUR"] == "deep blue"
    assert "WHEELFARM_PASS" not in os.environ
    assert "TOX_TESTENV_PASSENV" not in os.environ
"""


@dataclass(frozen=True, kw_only=True)
class Baked:
    """A system after a run that baked it: what the run said, and what `wheelfarm images` says of it since."""

    name: str
    run: Said
    facts: dict[str, Any]


@pytest.fixture(scope="module", params=SYSTEMS)
def baked(request: pytest.FixtureRequest, test_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """A run of `passes` on the system's newest Python, on PyPy and on 2.7, wherever there is one."""
    name = request.param
    toy = tmp_path_factory.mktemp(name) / "passes"
    shutil.copytree(MINIFARM / "passes", toy)
    wanted = ", ".join(f"py{each.removeprefix('py')}".replace(".", "") for each in (NEWEST[name], *SPECIAL))
    text = (toy / "tox.ini").read_text(encoding="utf-8")
    assert "env_list = py311" in text
    # Its package is built and installed: by tox 4 in a build environment, by tox 3, which drives 2.7, without one.
    text = text.replace("env_list = py311", f"env_list = {wanted}").replace("package = skip\n", "")
    (toy / "tox.ini").write_text(text, encoding="utf-8")
    (toy / "setup.py").write_text(SETUP, encoding="utf-8")
    (toy / "pyproject.toml").write_text(DECLARED, encoding="utf-8")
    (toy / "test_declared.py").write_text(TEST_DECLARED, encoding="utf-8")
    farm = Farm(home=test_home)
    run = said(farm.start("run", str(toy), "--os", name, "--json"))
    systems = [json.loads(line) for line in farm.call("images", "--json").stdout.splitlines()]
    return Baked(name=name, run=run, facts=next(each for each in systems if each["name"] == name))


def test_every_python_of_the_system_was_started(baked: Baked) -> None:
    """The image has what its recipe promised, and each Python that it offers told its tags."""
    facts = baked.facts
    assert (facts["state"], facts["left_seconds"]) == ("ready", None), baked.run.errors
    assert [each for each in facts["interpreters"] if not each["works"]] == []
    found = {each["name"]: each for each in facts["interpreters"]}
    assert found.keys() >= set(facts["expected"])
    assert NEWEST[baked.name] in found
    assert all(each["tags"] and each["provider"] for each in found.values())


def test_a_project_passes_on_its_special_pythons(baked: Baked) -> None:
    """The newest Python, PyPy and 2.7 build and install, see declared variables and report each test."""
    there = {each["name"] for each in baked.facts["interpreters"]}
    wanted = [each for each in (NEWEST[baked.name], *SPECIAL) if each in there]
    cells = {cell["python"]: cell for cell in baked.run.cells().values()}
    assert cells.keys() == set(wanted), baked.run.errors
    for cell in cells.values():
        assert (cell["verdict"], cell["system"]) == ("passed", baked.name), cell
        assert cell["tests"]["passed"] == 3, cell
    assert baked.run.exit_code == 0
