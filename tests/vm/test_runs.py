"""Whole runs through the command, the queue and real machines."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from farm_cli import leftovers
from farm_cli.service import Service
from farm_images.catalogue import Image
from farm_scheduler.database import Database
from farm_scheduler.tables import Cell

from .farm import RUN_SECONDS, Farm, Said, said
from .holding import qemu_processes, until

MINIFARM = Path(__file__).parent.parent / "minifarm"
TOYS = (
    *("passes", "fails", "crashes", "no-tests", "hides-failure", "needs-network", "stops-early"),
    *("unittest-passes", "unittest-fails", "eats-memory", "fork-bomb", "fills-disk", "kills-tox"),
    *("garbles-results", "jumps-clock", "looks-around", "all-skipped", "ignores-outcome"),
    *("expected-failure", "build-fails", "install-fails", "system-package", "missing-package"),
    *("subunit-stdout", "subunit-stdout-fails", "floods-log", "floods-results", "needs-tool", "uv-locked"),
)
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def farm(test_home: Path, image: Image) -> Iterator[Farm]:
    """One service for all tests here; at its end nothing of it may be left."""
    farm = Farm(home=image.folder.parent.parent.parent)
    assert farm.home == test_home
    os.environ["WHEELFARM_JOB_SECONDS"] = str(farm.job_seconds)
    with Service(farm.settings) as service:
        service.wait_until_ready()
        yield farm
    until(lambda: not leftovers.marked(leftovers.mark(farm.settings)), seconds=30)
    until(lambda: not qemu_processes(farm.home), seconds=30)


@pytest.fixture(scope="module")
def toys(farm: Farm) -> dict[str, Said]:
    """The toy projects, all submitted at once, and what their runs said."""
    processes = {name: farm.start("run", str(MINIFARM / name), "--json") for name in TOYS}
    return {name: said(process) for name, process in processes.items()}


@pytest.mark.parametrize("name", TOYS)
def test_toy_gets_its_exact_verdict(toys: dict[str, Said], name: str) -> None:
    """A toy project named for its outcome has the verdict, the counts and the exit code that it was made for."""
    expected = json.loads((MINIFARM / name / "expected.json").read_text(encoding="utf-8"))
    cells = toys[name].cells()
    assert list(cells) == ["py3.11 · debian-12"], toys[name].errors
    cell = cells["py3.11 · debian-12"]
    assert cell["verdict"] == expected["verdict"], cell
    assert {word: cell["tests"][word] for word in expected["tests"]} == expected["tests"]
    assert toys[name].exit_code == expected["exit_code"]


def test_failing_test_is_named_with_its_message(toys: dict[str, Said]) -> None:
    """The summary of a failed cell names the failing test, its message and the end of the log."""
    (bad,) = toys["fails"].lines[-1]["bad"]
    (failing,) = bad["failing"]
    assert failing["test"] == "test_toy.py::test_bad"
    assert "arithmetic is off" in failing["message"]
    assert "1 failed" in bad["log_tail"]


def test_stored_streams_are_read_by_the_tools_of_the_field(
    farm: Farm, toys: dict[str, Said], tmp_path: Path
) -> None:
    """subunit-ls, subunit-stats and stestr load read the evidence of a job."""
    attempt = toys["passes"].cells()["py3.11 · debian-12"]["attempt"]
    stream = (farm.settings.streams / f"{attempt}.subunit").read_bytes()

    def tool(*command: str) -> subprocess.CompletedProcess[bytes]:
        program = [str(BIN / command[0]), *command[1:]]
        return subprocess.run(
            program, input=stream, capture_output=True, timeout=60, check=False, cwd=tmp_path
        )

    assert b"test_toy.py::test_two" in tool("subunit-ls").stdout
    # The tools count the steps of the job, which are not runnable, like tests.
    stats = dict(
        line.split(":") for line in tool("subunit-stats").stdout.decode().splitlines() if ":" in line
    )
    assert int(stats["Passed tests"]) > 2
    assert int(stats["Failed tests"]) == 0
    (tmp_path / ".stestr.conf").write_text("[DEFAULT]\ntest_path=.\n", encoding="utf-8")
    assert tool("stestr", "init").returncode == 0
    assert tool("stestr", "load").returncode == 0
    assert b"test_toy.py::test_one" in tool("stestr", "last", "--subunit").stdout


def test_results_and_logs_show_a_finished_run(farm: Farm, toys: dict[str, Said]) -> None:
    """`results` and `logs` tell of a finished run what the run itself told."""
    results = farm.call("results", toys["fails"].run)
    assert "failed" in results.stdout
    assert "test_bad" in results.stdout
    job = toys["fails"].cells()["py3.11 · debian-12"]["job"]
    assert "arithmetic is off" in farm.call("logs", job).stdout


def test_project_of_its_own_configuration_runs(farm: Farm) -> None:
    """Pluggy 1.7.0 passes under its own tox.ini, with a package built by its own backend."""
    run = said(farm.start("run", "pluggy==1.7.0", "--python", "3.12", "--json"))
    cell = run.cells()["py3.12 · debian-12"]
    assert cell["verdict"] == "passed", (cell, run.errors)
    assert cell["environments"] == ["py312"]
    assert cell["tests"]["passed"] > 100
    assert run.exit_code == 0


def test_inferred_project_agrees_with_tox_by_hand(farm: Farm) -> None:
    """Six 1.17.0 has no tox configuration; what is inferred gives, test by test, what tox by hand gives."""
    environment = {**os.environ, "WHEELFARM_HOME": str(farm.home)}
    command = [sys.executable, "-m", "benchmarks.agreement", "six==1.17.0", "--python", "3.13", "--json"]
    answer = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=2 * RUN_SECONDS, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_interrupted_run_is_cancelled_and_its_machine_gone(farm: Farm) -> None:
    """Ctrl-C cancels the run, exits 130 and leaves no machine of it."""
    process = farm.start("run", str(MINIFARM / "hangs"), "--json")
    until(lambda: bool(qemu_processes(farm.home)), seconds=120)
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    run = said(process)
    assert run.exit_code == 130
    assert run.cells()["py3.11 · debian-12"]["state"] == "cancelled"


def test_a_machine_that_is_killed_is_not_the_projects_fault(farm: Farm) -> None:
    """When QEMU is killed amid a job, that attempt is the farm's error and the job is tried in a fresh machine."""
    killed = None
    with farm.start("run", str(MINIFARM / "hangs"), "--json") as process:
        for line in process.stdout or ():
            cell = json.loads(line)
            if cell["type"] != "cell":
                continue
            if killed is None and "commands" in (cell["now"] or ""):
                killed = cell["machine"]
                for machine in qemu_processes(farm.home):
                    if killed.encode() in (machine / "cmdline").read_bytes():
                        os.kill(int(machine.name), signal.SIGKILL)
            elif killed is not None and cell["history"]:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 130
    assert (cell["history"], cell["verdict"]) == (["farm-error"], None)
    assert cell["machine"] != killed


def test_luck_is_flaky(farm: Farm) -> None:
    """A test that fails in one machine and passes in the next is flaky, and says in which try it failed."""
    expected = json.loads((MINIFARM / "flaky/expected.json").read_text(encoding="utf-8"))
    lines, lucky = [], False
    with farm.start("run", str(MINIFARM / "flaky"), "--json") as process:
        for line in process.stdout or ():
            lines.append(json.loads(line))
            # The first try has its variables once it has its machine; the next one reads them anew.
            if not lucky and lines[-1].get("machine"):
                bring_luck(farm, lines[0]["run"])
                lucky = True
        process.communicate(timeout=RUN_SECONDS)
    run = Said(exit_code=process.returncode, lines=tuple(lines), errors="")
    (cell,) = run.cells().values()
    assert (cell["verdict"], cell["history"]) == (expected["verdict"], ["failed"]), cell
    assert {word: cell["tests"][word] for word in expected["tests"]} == expected["tests"]
    assert cell["reason"].endswith(".test_luck failed in try 1, and try 2 passed"), cell
    assert run.exit_code == expected["exit_code"]


def bring_luck(farm: Farm, run: str) -> None:
    """Change the variables of a run's only cell in the record."""
    database = Database(farm.settings.record_url)
    with database.write() as session:
        cell = session.exec(select(Cell).where(Cell.run_id == run)).one()
        assert cell.variables["LUCK"] == "bad"
        cell.variables = cell.variables | {"LUCK": "good"}
    database.close()


def test_hanging_project_times_out(farm: Farm, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A project that never ends is ended by the time limit, with its exact verdict."""
    home = tmp_path_factory.mktemp("hang")
    (home / "images").symlink_to(farm.home / "images")
    run = said(Farm(home=home, job_seconds=60).start("run", str(MINIFARM / "hangs"), "--json"))
    assert run.exit_code == 1, (run.exit_code, run.errors, run.lines[-5:])
    cell = run.cells()["py3.11 · debian-12"]
    assert cell["verdict"] == "timed-out", (cell, run.errors)
    assert not leftovers.marked(leftovers.mark(Farm(home=home).settings))
    assert not qemu_processes(home)
