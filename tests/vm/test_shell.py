"""What a person does with a job that has ended, on real machines: a shell, another try, and its evidence removed."""

import contextlib
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_cli import leftovers
from farm_images.catalogue import Image

from .farm import Farm, said
from .holding import qemu_processes, until

PASSES = Path(__file__).parent.parent / "minifarm" / "passes"
SECONDS = 600.0


@pytest.fixture(scope="module")
def job(test_home: Path, image: Image) -> str:
    """A job that has ended, of a farm that is down again."""
    assert image.folder.is_relative_to(test_home)
    run = said(Farm(home=test_home).start("run", str(PASSES), "--json"))
    return str(run.cells()["py3.11 · debian-12"]["job"])


@pytest.fixture
def farm(test_home: Path) -> Iterator[Farm]:
    """The farm; after each test nothing of it is left."""
    farm = Farm(home=test_home)
    yield farm
    until(lambda: not leftovers.marked(leftovers.mark(farm.settings)), seconds=60)
    assert not qemu_processes(farm.home)


def test_a_command_has_its_exit_code_and_its_output(farm: Farm, job: str) -> None:
    """One command runs in the source, with the job's own Python, and its machine goes with it."""
    code = "import os, sys; print(os.getcwd(), sys.prefix, os.getuid() != 0); sys.exit(7)"
    done = farm.call("shell", job, "--", "python", "-c", code)
    assert done.returncode == 7, done.stderr
    folder, prefix, ordinary = done.stdout.split()
    assert (prefix, ordinary) == (f"{folder}/.tox/py311", "True")
    assert "the tests again: tox run -e py311" in done.stderr
    assert not qemu_processes(farm.home)


class Terminal:
    """`wheelfarm` at a terminal of its own."""

    def __init__(self, farm: Farm, *arguments: str) -> None:
        self.shown = ""
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ["WHEELFARM_HOME"] = str(farm.home)
            os.execv(sys.executable, [sys.executable, "-m", "farm_cli", *arguments])

    def sees(self, text: str) -> None:
        """Wait until the terminal shows a text that is new."""
        begin, deadline = len(self.shown), time.monotonic() + SECONDS
        while text not in self.shown[begin:]:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.file], [], [], 1.0)[0]:
                self.shown += os.read(self.file, 1 << 16).decode(errors="replace")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.file, text.encode())

    def leaves(self) -> int:
        """The exit code, once it has ended."""
        code: list[int] = []

        def ended() -> bool:
            if select.select([self.file], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
                    self.shown += os.read(self.file, 1 << 16).decode(errors="replace")
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            code.extend([os.waitstatus_to_exitcode(status)] if pid else [])
            return bool(code)

        until(ended, seconds=120)
        os.close(self.file)
        return code[0]


def test_a_person_works_in_a_shell(farm: Farm, job: str) -> None:
    """A shell has a terminal, runs the tests again, is interrupted by Ctrl-C, and says how it ended."""
    person = Terminal(farm, "shell", job)
    person.sees("the machine goes with this shell")
    person.type("PS1='next''> '; stty rows 20 cols 70; stty size; id -un\r")
    person.sees("next> ")
    person.type("tox run -e py311\r")
    person.sees("2 passed")
    person.sees("next> ")
    person.type("sh -c 'echo be\"\"gun; exec sleep 1000'\r")
    person.sees("begun")
    person.type("\x03")
    person.sees("next> ")
    person.type("pip download --no-deps --dest /tmp http://example.org/x 2>&1 | tail -n 1; exit 5\r")
    assert person.leaves() == 5
    assert "\njob\r" in person.shown


def test_a_machine_goes_with_a_person_who_is_killed(farm: Farm, job: str) -> None:
    """Kill the command, and the machine of its shell is gone, as is the service that it held."""
    person = Terminal(farm, "shell", job)
    person.sees("the machine goes with this shell")
    assert qemu_processes(farm.home)
    os.kill(person.pid, signal.SIGKILL)
    assert person.leaves() == -signal.SIGKILL
    until(lambda: not qemu_processes(farm.home), seconds=60)


def test_a_job_is_run_again_and_its_evidence_removed(
    farm: Farm, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rerun is another try with a log of its own; gc takes the evidence of both and leaves the verdicts."""
    again = said(farm.start("rerun", job, "--json"))
    cell = again.cells()["py3.11 · debian-12"]
    assert (again.exit_code, cell["verdict"], cell["attempts"], cell["history"]) == (
        0,
        "passed",
        2,
        ["passed"],
    )
    for number in ("1", "2"):
        assert "2 passed" in farm.call("logs", job, "--attempt", number).stdout
    streams = set(farm.settings.streams.iterdir())
    assert farm.call("gc").returncode == 0
    assert set(farm.settings.streams.iterdir()) == streams, "nothing is old enough"
    monkeypatch.setenv("WHEELFARM_KEEP_EVIDENCE_DAYS", "0")
    assert "freed" in farm.call("gc").stdout
    assert not set(farm.settings.streams.iterdir()) & streams
    assert "try 2  passed" in farm.call("results", job).stdout
    assert "has no log" in farm.call("logs", job, "--attempt", "1").stderr
    assert "was removed; start a new one" in farm.call("shell", job).stderr
