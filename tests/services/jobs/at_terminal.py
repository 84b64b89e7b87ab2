"""A person at a terminal, or at pipes, for tests of the shell: a child of the test, and what it shows."""

import contextlib
import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

SECONDS = 90.0


class Person:
    """A function of a child process at a terminal of its own.

    Attributes:
        shown: all that the terminal showed so far.
    """

    def __init__(self, function: Callable[[], int]) -> None:
        self.shown = ""
        self._code: int | None = None
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            become(function)
        self._before = self.modes

    @property
    def modes(self) -> list[Any]:
        """The modes of the terminal: echo, lines, signals."""
        return termios.tcgetattr(self._master)[:4]

    @property
    def as_before(self) -> bool:
        """Whether the terminal is as the child found it."""
        return self.modes == self._before

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def sees(self, text: str) -> None:
        """Wait until the terminal shows a text that was not there before the last call."""
        begin, deadline = len(self.shown), time.monotonic() + SECONDS
        while text not in self.shown[begin:]:
            goes_on = self._read() and time.monotonic() < deadline
            assert goes_on, f"{text!r} is not in {self.shown!r}"

    def leaves(self) -> int:
        """Wait for the end of the child; its exit code."""
        deadline = time.monotonic() + SECONDS
        while not self._ended():
            assert time.monotonic() < deadline, self.shown
            self._read()
        while self._read():
            pass
        assert self._code is not None
        return self._code

    def close(self) -> None:
        """End the child if it is still there."""
        if not self._ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)

    def _ended(self) -> bool:
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 0.2)[0]:
            return not self._ended()
        with contextlib.suppress(OSError):
            data = os.read(self._master, 1 << 16)
            self.shown += data.decode(errors="replace")
            return bool(data)
        return False


def become(function: Callable[[], int]) -> None:
    """Be the child: its files are the usual three again, and it ends with the function."""
    code = 99
    try:
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            file = open(number, "r" if number == 0 else "w", closefd=False)  # noqa: SIM115 (to the end of the process)
            setattr(sys, name, file)
        code = function()
        sys.stderr.flush()
    finally:
        os._exit(code)
