"""Metadata that no file tells, asked of a real machine."""

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_cli import leftovers
from farm_cli.service import Service
from farm_images.catalogue import Image

from .farm import RUN_SECONDS, Farm, said
from .holding import qemu_processes, until

TOY = Path(__file__).parent.parent / "minifarm" / "dynamic-metadata"
ASKING = "SELECT count(*) FROM question WHERE state = 'asking'"


@pytest.fixture(scope="module")
def farm(test_home: Path, image: Image) -> Iterator[Farm]:
    """One service for all tests here; at its end nothing of it may be left."""
    farm = Farm(home=image.folder.parent.parent.parent)
    assert farm.home == test_home
    os.environ["WHEELFARM_JOB_SECONDS"] = str(RUN_SECONDS)
    with Service(farm.settings) as service:
        service.wait_until_ready()
        yield farm
    until(lambda: not leftovers.marked(leftovers.mark(farm.settings)), seconds=30)
    until(lambda: not qemu_processes(farm.home), seconds=30)


def test_the_matrix_follows_from_what_a_machine_built(farm: Farm) -> None:
    """A setup.py that computes, prints junk and writes outside gives the Python and the extra of the only cell."""
    run = said(farm.start("run", str(TOY), "--json"))
    assert any(line["type"] == "question" and "building" in line["note"] for line in run.lines)
    expected = json.loads((TOY / "expected.json").read_text(encoding="utf-8"))
    (cell,) = run.cells().values()
    assert cell["label"] == "py3.12 · debian-12"
    assert cell["verdict"] == expected["verdict"], (cell, run.errors)
    assert {word: cell["tests"][word] for word in expected["tests"]} == expected["tests"]
    assert run.exit_code == expected["exit_code"]
    told = [line for line in run.lines if line["type"] == "run"][-1]
    assert (told["project"], told["version"]) == ("dynamic-metadata", "4.2")


def test_a_second_plan_boots_no_machine(farm: Farm) -> None:
    """What a machine said of a source is known to every plan of the same source afterwards."""
    plan = farm.call("plan", str(TOY), "--json", "--ask-guest")
    assert plan.returncode == 0, plan.stderr
    assert "asking a machine" not in plan.stderr
    (cell,) = json.loads(plan.stdout)["cells"]
    assert cell["python"] == "3.12"


def test_a_plan_asks_a_machine_when_it_is_told_to(farm: Farm, tmp_path: Path) -> None:
    """`plan` alone says what is not known; with --ask-guest a machine builds, here without success, and it says why."""
    folder = changed_toy(tmp_path, "raise KeyError('no such thing')")
    static = farm.call("plan", str(folder))
    assert "so does --ask-guest" in static.stdout
    plan = farm.call("plan", str(folder), "--ask-guest")
    assert plan.returncode == 0, plan.stderr
    assert "asking a machine of debian-12: building it with Python 3.11" in plan.stderr
    assert "KeyError: 'no such thing'" in plan.stdout


def test_an_interrupted_question_leaves_no_machine(farm: Farm, tmp_path: Path) -> None:
    """Ctrl-C while a machine builds the metadata cancels the run, exits 130, and the machine goes."""
    folder = changed_toy(tmp_path, "import time; time.sleep(3600)")
    process = farm.start("run", str(folder), "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if "building" in line:
            break
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, out + errors
    with sqlite3.connect(farm.home / "record.sqlite") as record:
        until(lambda: record.execute(ASKING).fetchone() == (0,), seconds=15)
    plan = farm.call("plan", str(folder))
    assert "so does --ask-guest" in plan.stdout


def changed_toy(folder: Path, begin: str) -> Path:
    """A copy of the toy whose setup.py begins otherwise."""
    copy = folder / "toy"
    shutil.copytree(TOY, copy)
    script = copy / "setup.py"
    script.write_text(f"{begin}\n{script.read_text()}")
    return copy
