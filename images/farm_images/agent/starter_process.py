"""The agent's handle on the job's first process: start it, wait until it is warm, tell it what to become.

Used by `conversation` (which keeps a warm one) and `job`. It never waits without a limit, and it believes
nothing that the process says after it has become the job.
"""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from farm_images.agent.confinement import Confinement
from farm_images.agent.job_user import JobUser
from farm_images.agent.places import Places
from farm_images.agent.starter import READY

_WARM_SECONDS = 180.0
_UNPACK_SECONDS = 300.0
_ANSWER_BYTES = 1 << 16


class StarterError(Exception):
    """The job's first process did not do its part: the farm's fault."""


class StarterProcess:
    """One process, used once. Its output goes to the pipe `output` from the start, or it has these three `files`."""

    def __init__(
        self,
        places: Places,
        user: JobUser,
        confinement: Confinement,
        *,
        preload: bool,
        files: tuple[int, int, int] | None = None,
    ) -> None:
        ours, theirs = socket.socketpair()
        self.output, output = os.pipe()
        python = places.tool_python("tox")
        argv = [str(python), str(places.archive), "--starter", str(theirs.fileno())]
        argv += ["--plugins", str(places.tox_plugins)] + ["--preload"] * preload
        stdin, stdout, stderr = files or (subprocess.DEVNULL, output, output)
        with theirs:
            self._process = subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=places.home,
                env=user.variables(places),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                **user.credentials(),
            )
        os.close(output)
        confinement.take_in(self._process.pid)
        self._socket = ours
        self._ready = False
        self._closed = False

    @property
    def pid(self) -> int:
        """Of the process, and later of tox."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether it can still take requests."""
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until it has imported what it was to import. Raises StarterError."""
        if not self._ready:
            if self._line(_WARM_SECONDS) != READY:
                raise StarterError("the job's first process did not start")
            self._ready = True

    def unpack(self, archive: Path, folder: Path) -> dict[str, str]:
        """`{"project": path}`, or `{"reason": sentence}` if the archive is at fault. Raises StarterError."""
        self.wait_ready()
        self._ask({"do": "unpack", "archive": str(archive), "folder": str(folder)})
        try:
            answer = json.loads(self._line(_UNPACK_SECONDS))
        except ValueError as error:
            raise StarterError("the job's first process gave no answer") from error
        return {str(key): str(value) for key, value in answer.items()}

    def become(self, kind: str, argv: list[str], variables: dict[str, str], folder: Path) -> None:
        """Let it be tox in this process (`tox`) or another program (`exec`, `terminal`). Raises StarterError."""
        self.wait_ready()
        self._ask({"do": kind, "argv": argv, "variables": variables, "folder": str(folder)})
        self._socket.close()

    def exit_status(self) -> int:
        """The exit code, or minus the signal, of the ended process."""
        return self._process.wait(timeout=10)

    def kill(self) -> None:
        """End it and let go of what belongs to it; a second time does nothing."""
        if self.is_alive():
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait(timeout=10)
        self._socket.close()
        if not self._closed:
            self._closed = True
            os.close(self.output)

    def _ask(self, request: dict[str, Any]) -> None:
        try:
            self._socket.settimeout(10)
            self._socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise StarterError(f"the job's first process is gone: {error}") from error

    def _line(self, seconds: float) -> bytes:
        self._socket.settimeout(seconds)
        line = b""
        try:
            while not line.endswith(b"\n") and len(line) < _ANSWER_BYTES:
                data = self._socket.recv(_ANSWER_BYTES)
                if not data:
                    break
                line += data
        except OSError as error:
            raise StarterError(f"the job's first process does not answer: {error}") from error
        return line
