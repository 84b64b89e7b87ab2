"""`wheelfarm up` as a process, on a home of its own: for the test of a whole push, and the benchmark of its beginning.

It never ends a process that it did not start.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from farm_scheduler.settings import Settings

from .farm import RUN_SECONDS
from .forge import Forge

UP_SECONDS = 120


class House:
    """`wheelfarm up` on a home of its own, over the images of the run."""

    def __init__(self, home: Path, variables: Mapping[str, str], forge: Forge) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.variables = {
            **os.environ,
            "WHEELFARM_HOME": str(home),
            "WHEELFARM_SYSTEMS": "debian-12",
            "WHEELFARM_JOB_SECONDS": str(RUN_SECONDS),
            "WHEELFARM_GIT_HOSTS": forge.host,
            **variables,
        }
        self.settings = Settings(home=home, database_url=variables.get("WHEELFARM_DATABASE_URL", ""))
        argv = [sys.executable, "-m", "farm_cli", "up", "--port", str(self.port)]
        self.process = subprocess.Popen(argv, env=self.variables, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if "the farm is up" not in said:
            self.stop()
            raise AssertionError(f"the farm did not come up: {said}")

    def call(self, *words: str, given: str = "") -> str:
        """Run a command on the same farm; what it prints."""
        argv = [sys.executable, "-m", "farm_cli", *words]
        done = subprocess.run(
            argv,
            env=self.variables,
            input=given,
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=UP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
