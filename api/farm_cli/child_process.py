"""One running process of the embedded service, its log, and its end.

Called by the supervisor and by `wheelfarm up`, always from the main thread: the kernel ties a child's life to
the thread that started it. It never decides whether a child is started again.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from farm_cli.children import ChildPlan
from farm_cli.errors import ServiceError

LARGEST_LOG = 8 * 1024 * 1024
TAIL_LINES = 12
TAIL_BYTES = 4096


class ChildProcess:
    """A child that was started.

    Args:
        plan: its row of the table.
        logs: the folder of logs; its output is appended to `NAME.log`.
        environment: all of its environment.
        descriptors: open files of this process that it has as well, by the same numbers.

    Raises:
        ServiceError: the program is not there or cannot be started.
    """

    def __init__(
        self, plan: ChildPlan, logs: Path, environment: Mapping[str, str], descriptors: Sequence[int] = ()
    ) -> None:
        self.plan = plan
        self.log = logs / f"{plan.name}.log"
        self.started = time.monotonic()
        self.is_up = False
        turn_log(self.log)
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        # The kernel signals the child when this process dies, however it dies; setpriv becomes the child.
        death = plan.orphan_signal.name.removeprefix("SIG")
        try:
            with self.log.open("ab") as output:
                self.process = subprocess.Popen(
                    ["setpriv", "--pdeathsig", death, "--", *plan.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    env=dict(environment),
                    pass_fds=descriptors,
                )
        except OSError as error:
            sentence = f"{plan.name} could not be started ({error}); see `wheelfarm doctor`"
            raise ServiceError(sentence, child=plan.name) from error

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """Its exit code (negative: the signal that ended it), or None while it runs."""
        return self.process.poll()

    def stop(self) -> None:
        """End it and all of its session: SIGTERM, then SIGKILL when its time is over."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=self.plan.stop_seconds)
        self.kill()

    def kill(self) -> None:
        """End it and all of its session at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def tail(self) -> str:
        """The end of what this start of the child wrote to its log."""
        with contextlib.suppress(OSError), self.log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(self._log_begins, size - TAIL_BYTES))
            lines = stream.read().decode("utf-8", "replace").splitlines()
            return "\n".join(lines[-TAIL_LINES:])
        return ""


def turn_log(log: Path) -> None:
    """Put a large log aside as `NAME.log.1`, in place of the one before it."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_name(log.name + ".1"))
