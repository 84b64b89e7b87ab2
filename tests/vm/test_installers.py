"""The installers of a run on real machines: lock file, constraints, newest and oldest, and what each really had."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_cli.service import Service
from farm_images.catalogue import Image
from farm_scheduler.database import Database
from farm_scheduler.installed_sets import JobSets, read_sets

from .farm import Farm, Said, said

TOY = Path(__file__).parent.parent / "minifarm/installers"
CUTOFF = "2023-06-01"
"""A day on which six was at 1.16.0."""


@pytest.fixture(scope="module")
def farm(test_home: Path, image: Image) -> Iterator[Farm]:
    """One service for all tests here."""
    farm = Farm(home=image.folder.parent.parent.parent)
    assert farm.home == test_home
    os.environ["WHEELFARM_JOB_SECONDS"] = str(farm.job_seconds)
    with Service(farm.settings) as service:
        service.wait_until_ready()
        yield farm


@pytest.fixture(scope="module")
def runs(farm: Farm) -> tuple[Said, Said]:
    """The toy by each installer, and its newest as of a day, submitted at once."""
    both = [
        farm.start("run", str(TOY), "--json"),
        farm.start("run", str(TOY), "--json", "--installer", "latest", "--cutoff", CUTOFF),
    ]
    first, second = (said(process) for process in both)
    return first, second


def sets(farm: Farm, run: Said) -> dict[str, JobSets]:
    """What each cell had, by its installer."""
    database = Database(farm.settings.record_url)
    try:
        with database.read() as session:
            return {each["installer"]: read_sets(session, each["job"]) for each in run.cells().values()}
    finally:
        database.close()


def version(found: JobSets, name: str) -> str:
    """The release of one package in the only environment."""
    (only,) = found.sets
    return next(str(each["version"]) for each in only.packages if each["name"] == name)


def test_every_installer_runs(runs: tuple[Said, Said]) -> None:
    """There is a cell for each installer, and its tests pass."""
    cells = runs[0].cells()
    words = ("lockfile", "constraints", "latest", "lowest")
    assert {label: cell["verdict"] for label, cell in cells.items()} == {
        f"py3.11 · debian-12 · {word}": "passed" for word in words
    }, runs[0].errors
    assert (
        json.loads((TOY / "expected.json").read_text(encoding="utf-8"))["exit_code"] == runs[0].exit_code == 0
    )


def test_each_had_what_its_installer_decides(farm: Farm, runs: tuple[Said, Said]) -> None:
    """The locked, the constrained, the newest and the oldest release, each by its hash, and the project itself."""
    found = sets(farm, runs[0])
    had = {word: version(each, "six") for word, each in found.items()}
    assert {word: had[word] for word in ("lockfile", "constraints", "lowest")} == {
        "lockfile": "1.16.0",
        "constraints": "1.15.0",
        "lowest": "1.14.0",
    }
    assert tuple(map(int, had["latest"].split("."))) >= (1, 17, 0)
    for word, each in found.items():
        (only,) = each.sets
        (six,) = [package for package in only.packages if package["name"] == "six"]
        assert (only.installer, six["hash"][:7]) == (word, "sha256:")
        assert six["file"] in {file.file for file in each.fetched}
        assert "six" in (only.pylock or "")
    assert found["lockfile"].sets[0].lock["format"] == "pylock"  # type: ignore[index]  # it has one, as it is by lock


def test_two_cells_are_compared(farm: Farm, runs: tuple[Said, Said]) -> None:
    """The command says what differs between two of them, and nothing else."""
    jobs = {each["installer"]: each["job"] for each in runs[0].cells().values()}
    told = json.loads(farm.call("compare", jobs["lowest"], jobs["lockfile"], "--json").stdout)
    (pair,) = told["environments"]
    wanted = {"kind": "changed", "name": "six", "before": "1.14.0", "after": "1.16.0"}
    assert pair["differences"] == [wanted]
    assert told["equal"] is False


def test_the_proxy_holds_the_cut_off(farm: Farm, runs: tuple[Said, Said]) -> None:
    """As of a day the newest is the newest of then, and no file that came later reached the machine."""
    assert runs[1].exit_code == 0, runs[1].errors
    found = sets(farm, runs[1])
    assert version(found["latest"], "six") == "1.16.0"
    files = {file.file for each in found.values() for file in each.fetched}
    assert not {name for name in files if name.startswith("six-1.17")}
