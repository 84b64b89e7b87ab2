"""Metadata that no file tells, asked of a real machine."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_cli import leftovers
from farm_cli.service import Service
from farm_images.catalogue import Image

from .farm import RUN_SECONDS, Farm, said
from .holding import qemu_processes, until

TOY = Path(__file__).parent.parent / "minifarm" / "dynamic-metadata"


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
