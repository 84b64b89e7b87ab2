"""The terminal of a person whose shell's process ends in a bad way."""

import contextlib
import sys

import pytest

from farm_cli import shell_process

from .jobs.at_terminal import Person

RAW = "import os, signal, sys, tty; tty.setraw(0); print('raw', flush=True); "
UP = "import signal, sys, time; signal.signal(2, lambda *_: sys.exit(9)); print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("sys.exit(5)", 5),
    ],
)
def test_the_terminal_is_put_back(settings, end, code):
    """Whatever becomes of the process, the terminal is as it was, and the exit code tells what happened."""

    def run() -> int:
        with shell_process.terminal_kept():
            return shell_process.run_process(settings, [sys.executable, "-c", RAW + end])

    with contextlib.closing(Person(run)) as person:
        assert person.leaves() == code
        assert "raw" in person.shown
        assert person.as_before


def test_ctrl_c_is_for_the_process(settings):
    """Ctrl-C before the terminal is raw reaches the process, and the command waits for its end."""
    with contextlib.closing(
        Person(lambda: shell_process.run_process(settings, [sys.executable, "-c", UP]))
    ) as person:
        person.sees("up")
        person.type("\x03")
        assert person.leaves() == 9
