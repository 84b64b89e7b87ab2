"""The HTTP server as a child of `wheelfarm up`: started, and started again by itself when it ends or hangs.

Called by up, from its main thread. It knows nothing of the service, whose jobs go on without it.
"""

import contextlib
import http.client
import os
import sys
import time

from farm_cli.child_process import ChildProcess
from farm_cli.children import ChildPlan
from farm_cli.errors import ServiceError
from farm_cli.pulse import Pulse
from farm_cli.tries import Tries
from farm_scheduler.settings import Settings

UP_SECONDS = 60.0
"""A host that is at work takes its time; ended before, a server would be as slow the next time."""


class Pages:
    """The server of one address.

    Args:
        settings: of the farm.
        host: the address of the pages.
        port: and their port.
    """

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._address = (host, port)
        self._child: ChildProcess | None = None
        self._pulse: Pulse | None = None
        self._tries = Tries("the server of the pages", ends_all=False)

    def open(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ServiceError: it ended, or does not answer in time; the end of its log is in the sentence.
        """
        child = self._child = self._start()
        while not child.is_up:
            self._check(child)
            time.sleep(0.05)

    def mind(self) -> None:
        """Look at it, and start it again when it has ended or hangs; waits for nothing, and never gives up."""
        child = self._child
        try:
            if child is not None:
                self._check(child)
            elif self._tries.due:
                self._child = self._start()
        except ServiceError as error:
            self.close()
            self._tries.lost(error, lasted=child.age if child is not None and child.is_up else 0.0)

    def close(self) -> None:
        """End it."""
        if self._pulse is not None:
            self._pulse.close()
            self._pulse = None
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _start(self) -> ChildProcess:
        host, port = self._address
        pulse = self._pulse = Pulse()
        options = ("--host", host, "--port", str(port), "--pulse", str(pulse.end))
        argv = (sys.executable, "-m", "farm_api.server", *options)
        plan = ChildPlan(name="pages", argv=argv, stage=0, up=lambda: answers(host, port))
        environment = {**os.environ, "WHEELFARM_HOME": str(self._settings.home)}
        return ChildProcess(plan, self._settings.logs, environment, (pulse.end,))

    def _check(self, child: ChildProcess) -> None:
        if child.exit_code() is None:
            child.is_up = child.is_up or child.plan.up()
            if child.is_up and self._pulse is not None and self._pulse.is_lost:
                child.kill()
                self.close()
                raise ServiceError(f"the server of the pages hangs; see {child.log}", log=str(child.log))
            if child.is_up or child.age < UP_SECONDS:
                return
        self.close()
        tail = child.tail().splitlines()[-1:] or ["it wrote nothing"]
        sentence = (
            f"the server of the pages ended; see {child.log}"
            if child.is_up
            else f"the pages cannot be served on {address(*self._address)} ({tail[0]}); see {child.log}, or take --port"
        )
        raise ServiceError(sentence, log=str(child.log))


def address(host: str, port: int) -> str:
    """The URL of the pages."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def answers(host: str, port: int) -> bool:
    """Whether the server says that it is well."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    # Not urllib: the variables of a proxy, which hold for elsewhere, would count.
    with contextlib.closing(http.client.HTTPConnection(local, port, timeout=2)) as client:
        try:
            client.request("GET", "/healthz")
            return client.getresponse().status == 200
        except (http.client.HTTPException, OSError):
            return False
