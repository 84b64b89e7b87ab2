"""A command's hold on the embedded service: starts it or joins the one that runs, and lets go at the end.

Called by the commands that need machines (`run`, `up`). The service lives as long as somebody holds it; the
hold is an open connection, so a killed command lets go as well. It never talks to a child itself.
"""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from farm_cli.child_process import turn_log
from farm_cli.errors import ServiceError
from farm_scheduler.settings import Settings

JOIN_SECONDS = 60.0
"""How long to try to join or start: a service that is about to stop needs its time."""

READY_SECONDS = 60.0
LEAVE_SECONDS = 60.0
RETRY_SECONDS = 0.05
EXIT_SECONDS = 5.0
BUSY = 75
"""The exit code of a supervisor that finds another one at work (EX_TEMPFAIL of sysexits.h)."""

CLIENT_FD = 3


class Service:
    """A hold on the service, as a context manager; leaving it waits until what should stop has stopped.

    Args:
        settings: the home whose service is meant.

    Raises:
        ServiceError: it cannot be started or joined.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = "starting"
        self.up: frozenset[str] = frozenset()
        self._received = b""
        self._supervisor: int | None = None
        try:
            settings.prepare()
        except OSError as error:
            sentence = (
                f"the farm's home {settings.home} cannot be written ({error.strerror}); set WHEELFARM_HOME"
            )
            raise ServiceError(sentence, home=str(settings.home)) from error
        self._connection = self._join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def wait_for(self, child: str, seconds: float = READY_SECONDS) -> None:
        """Wait until one process of the service is up, by its name in the table of children.

        Raises:
            ServiceError: it does not come up; the end of its log is in the sentence.
        """
        self._wait(lambda: self.state == "ready" or child in self.up, seconds)

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every process of the service is up.

        Raises:
            ServiceError: one of them does not come up; the end of its log is in the sentence.
        """
        self._wait(lambda: self.state == "ready", seconds)

    def _wait(self, condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                sentence = f"the embedded service is not ready after {seconds:.0f} s; see {self._log}"
                raise ServiceError(sentence, log=str(self._log))
            self._listen(0.2)

    def check(self) -> None:
        """Take in what the supervisor said since the last time.

        Raises:
            ServiceError: the service has failed or ended.
        """
        self._listen(0.0)

    def leave(self) -> None:
        """Let go. The last one to do so waits until everything is stopped; safe to call twice."""
        last = b""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            self._connection.settimeout(LEAVE_SECONDS)
            while received := self._connection.recv(4096):
                last = received
        self._connection.close()
        if b'"shared"' not in last:
            self._await_supervisor()

    @property
    def _log(self) -> str:
        return str(self.settings.logs / "supervisor.log")

    def _join(self) -> socket.socket:
        deadline = time.monotonic() + JOIN_SECONDS
        while time.monotonic() < deadline:
            for attempt in (self._connect, self._start):
                connection = attempt()
                if connection is not None and self._is_greeted(connection):
                    return connection
            time.sleep(RETRY_SECONDS)
        sentence = f"the embedded service can be neither joined nor started; see {self._log}"
        raise ServiceError(sentence, log=self._log)

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.settings.farm_socket))
        except OSError:
            connection.close()
            return None
        return connection

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        log = self.settings.logs / "supervisor.log"
        turn_log(log)
        with theirs, log.open("ab") as output, Path(os.devnull).open("rb") as nothing:
            places = ((nothing, 0), (output, 1), (output, 2), (theirs, CLIENT_FD))
            # A session of its own: Ctrl-C at the terminal is for the command, which then lets go. And no
            # subprocess.Popen: the supervisor may outlive this command when another one holds it as well.
            self._supervisor = os.posix_spawn(
                sys.executable,
                [sys.executable, "-m", "farm_cli.supervisor", str(CLIENT_FD)],
                {**os.environ, "WHEELFARM_HOME": str(self.settings.home)},
                file_actions=[(os.POSIX_SPAWN_DUP2, file.fileno(), place) for file, place in places],
                setsid=True,
            )
        return ours

    def _await_supervisor(self) -> int | None:
        """The exit code of the supervisor that this command started and that is at its end; None without one."""
        deadline = time.monotonic() + EXIT_SECONDS
        while self._supervisor is not None and time.monotonic() < deadline:
            process, status = os.waitpid(self._supervisor, os.WNOHANG)
            if process:
                self._supervisor = None
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        return None

    def _is_greeted(self, connection: socket.socket) -> bool:
        """Whether the other side said its first word; a supervisor that is not alone just ends."""
        self._received = b""
        connection.settimeout(JOIN_SECONDS)
        try:
            first = connection.recv(65536)
        except OSError:
            first = b""
        if not first:
            connection.close()
            code = self._await_supervisor()
            if code not in {None, BUSY}:
                sentence = (
                    f"the supervisor of the embedded service ended with exit code {code}; see {self._log}"
                )
                raise ServiceError(sentence, log=self._log)
            return False
        self._take(first)
        return True

    def _listen(self, seconds: float) -> None:
        self._connection.settimeout(seconds)
        try:
            received = self._connection.recv(65536)
        except (TimeoutError, BlockingIOError):
            return
        except OSError:
            received = b""
        if not received:
            self._connection.close()
            sentence = f"the embedded service was lost (its log: {self._log}); start again"
            raise ServiceError(sentence, log=self._log)
        self._take(received)

    def _take(self, received: bytes) -> None:
        *lines, self._received = (self._received + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            self.state = str(message["state"])
            self.up = frozenset(message.get("up", self.up))
            if self.state == "failed":
                raise ServiceError(str(message["sentence"]), log=self._log)
