"""A shell in the place of a job, from the person's terminal to the real agent and back."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from farm_images.errors import ImageError
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image
from farm_workers.image_wait import wait_for_image
from farm_workers.run import Hands
from farm_workers.shell import shell

from .at_terminal import Person, become
from .test_run_job import NAME, project, submit


@pytest.fixture
def job(hands: Hands, tmp_path: Path) -> str:
    """A job whose tests would fail; a shell does not run them."""
    _, claim = submit(hands, project(tmp_path / "p", {"data.txt": "of the project"}, "false"))
    hands.database.close()
    return claim.job_id


def ask(system: str) -> None:
    """Nobody bakes here."""
    del system


@contextlib.contextmanager
def person(hands: Hands, job: str, **settings: float) -> Iterator[Person]:
    """Somebody at a terminal who sees the prompt of a shell."""
    told = replace(hands, settings=hands.settings.model_copy(update=settings))
    with contextlib.closing(Person(lambda: shell(told, job, (), ask))) as found:
        found.sees("the machine goes with this shell")
        yield found


def test_a_person_has_a_shell(hands: Hands, job: str) -> None:
    """The first lines say what there is, the shell is in the source, and its exit code is the command's."""
    with person(hands, job) as someone:
        assert f"{NAME}: .tox/{NAME}/bin/python (Python 3." in someone.shown, someone.shown
        assert f"the tests again: tox run -e {NAME}" in someone.shown
        someone.type("cat data.txt; tty; exit 4\r")
        someone.sees("of the project")
        assert someone.leaves() == 4
        assert someone.as_before


def test_control_c_is_for_the_shell(hands: Hands, job: str) -> None:
    """Ctrl-C interrupts what runs in the machine, and the terminal of the person is raw meanwhile."""
    with person(hands, job) as someone:
        someone.type("PS1='next''> '; sh -c 'echo be\"\"gun; exec sleep 100'\r")
        someone.sees("begun")
        assert not someone.as_before
        someone.type("\x03")
        someone.sees("next> ")
        someone.type("(exit 6)\r")
        someone.sees("next> ")
        someone.type("\x04")
        assert someone.leaves() == 6
        assert someone.as_before


def test_a_dead_machine_gives_the_terminal_back(hands: Hands, job: str) -> None:
    """When the machine dies the terminal is as before, and one sentence says so."""
    with person(hands, job) as someone:
        someone.type("kill -9 $PPID\r")
        assert someone.leaves() == 3
        assert "the machine of the shell died" in someone.shown
        assert someone.as_before


def test_a_signal_gives_the_terminal_back(hands: Hands, job: str) -> None:
    """Whoever ends the command from elsewhere leaves a terminal that is as before."""
    with person(hands, job) as someone:
        someone.type("echo he''re\r")
        someone.sees("here")
        os.kill(someone.pid, signal.SIGTERM)
        assert someone.leaves() == 128 + signal.SIGTERM
        assert someone.as_before


def test_a_forgotten_shell_ends(hands: Hands, job: str) -> None:
    """A shell that nobody uses ends after its idle time, with a sentence and an exit code of its own."""
    with person(hands, job, shell_idle_seconds=1.0) as someone:
        assert someone.leaves() == 124
        assert "nobody used the shell for too long" in someone.shown
        assert someone.as_before


def test_the_time_of_a_shell_is_bounded(hands: Hands, job: str) -> None:
    """A shell ends when its time is over, whatever it is doing."""
    with person(hands, job, shell_seconds=15.0) as someone:
        someone.type("while :; do date; done\r")
        assert someone.leaves() == 124
        assert "the time for the shell is over" in someone.shown


def test_a_command_works_in_pipes(hands: Hands, job: str) -> None:
    """Without a terminal bytes go in and come out as they are, and the two outputs apart."""
    content = bytes(range(256)) * 2048
    stdin, feed = os.pipe()
    read, stdout = os.pipe()
    pid = os.fork()
    if pid == 0:
        for number, place in ((stdin, 0), (stdout, 1)):
            os.dup2(number, place)
        os.closerange(3, 64)
        become(lambda: shell(hands, job, ("sh", "-c", "cat; exit 3"), ask))
    os.close(stdin)
    os.close(stdout)
    with subprocess.Popen([sys.executable, "-c", _FEED, str(len(content))], stdout=feed) as feeder:
        os.close(feed)
        with open(read, "rb") as stream:  # noqa: PTH123 (a descriptor)
            assert stream.read() == content
        assert feeder.wait(timeout=30) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3


_FEED = "import sys; sys.stdout.buffer.write(bytes(range(256)) * (int(sys.argv[1]) // 256))"


def test_an_image_is_waited_for(hands: Hands) -> None:
    """An image that is looked at again is waited for, and asked for once."""
    _set_image(hands, ImageState.MISSING)
    asked: list[str] = []
    told: list[str] = []

    def say(sentence: str) -> None:
        told.append(sentence)
        _set_image(hands, ImageState.READY)

    assert wait_for_image(hands, "debian-12", asked.append, say).name == "debian-12"
    assert (asked, told) == (["debian-12"], ["image debian-12: is looked at"])


def test_an_image_that_cannot_be_baked_ends_the_wait(hands: Hands) -> None:
    """When the bake fails there is no shell, and its reason is said."""
    _set_image(hands, ImageState.FAILED, note="no room")
    with pytest.raises(ImageError, match="could not be baked: no room"):
        wait_for_image(hands, "debian-12", ask, ask)


def _set_image(hands: Hands, state: ImageState, note: str = "") -> None:
    with hands.database.write() as session:
        row = session.get_one(Image, "debian-12")
        row.state, row.note = state, note
