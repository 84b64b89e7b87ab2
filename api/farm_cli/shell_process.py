"""The process that a person's shell is, at this terminal, while the service is held.

Called by shell. The process has the terminal and answers Ctrl-C itself; this one passes the other signals on, waits,
and puts the terminal in order if it could not do so.
"""

import contextlib
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from typing import Any

from farm_cli.service import Service
from farm_scheduler.settings import Settings

PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
MACHINE_SECONDS = 900.0
"""For the machine, before the time of the shell counts; a process that outlives both is stuck, and ended."""

STOP_SECONDS = 30.0


def run_shell(settings: Settings, job: str, command: Sequence[str]) -> int:
    """Hold the service, run the process to its end; its exit code.

    Raises:
        ServiceError: the service does not come up.
    """
    with Service(settings) as service, terminal_kept():
        service.wait_until_ready()
        return run_process(settings, [sys.executable, "-m", "farm_workers.shell", job, *command])


def run_process(settings: Settings, argv: list[str]) -> int:
    """Run a process that has the terminal; its exit code, 128 + N after signal N."""
    with _signals(signal.SIG_IGN, (signal.SIGINT,)):
        # Without this command there is nobody to hold the service: the kernel ends the process, too.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *argv],
            env={**os.environ, "WHEELFARM_HOME": str(settings.home)},
            preexec_fn=_answer_interrupts,  # noqa: PLW1509 (this process has one thread)
        )
        with _signals(lambda number, _: process.send_signal(number), PASSED_ON):
            code = _wait(process, MACHINE_SECONDS + settings.shell_seconds)
    return 128 - code if code < 0 else code


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> int:
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(timeout=STOP_SECONDS)


def _answer_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def _signals(handler: Any, numbers: Sequence[signal.Signals]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def terminal_kept() -> Iterator[None]:
    """The terminal is afterwards as it was, also when the process was killed."""
    before = termios.tcgetattr(sys.stdin.fileno()) if sys.stdin.isatty() else None
    try:
        yield
    finally:
        if before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
