"""`wheelfarm up`: keeps the service up and serves the pages until Ctrl-C.

Found by main. It holds the service like every other client, and starts the HTTP server as a child of its own; a
child that dies is started again. It runs no job.
"""

import os
import sys
import time
import urllib.error
import urllib.request

import click

from farm_cli.child_process import ChildProcess
from farm_cli.children import ChildPlan
from farm_cli.errors import ServiceError
from farm_cli.interruption import Interruption
from farm_cli.record import open_record
from farm_cli.server_option import here_only
from farm_cli.service import Service
from farm_scheduler.settings import Settings

UP_SECONDS = 20.0
LOOK_SECONDS = 0.5
STARTS_TRIED = 5

HELP = """Keep the farm up and show its runs in the browser.

Runs started meanwhile share its machines. Ctrl-C ends it, and with it what it started.

\b
Example:
  wheelfarm up --port 8600
"""


@click.command("up", help=HELP)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve the pages on.")
@click.option("--port", default=8600, show_default=True, type=click.IntRange(1, 65535), help="And the port.")
@here_only("it serves the farm of this machine; a farm elsewhere is started there")
def command(host: str, port: int) -> int:
    """The subcommand; 0 when it was asked to end."""
    interruption = Interruption()
    with interruption.listening(), open_record() as record:
        house = House(record.settings, host, port)
        try:
            house.open()
            click.echo(f"the farm is up: {address(host, port)} (Ctrl-C ends it)")
            house.keep()
        except KeyboardInterrupt:
            click.echo("the farm stops", err=True)
        finally:
            house.close(wait=interruption.wishes < 2)
    return 0


class House:
    """The service and the pages, held together.

    Args:
        settings: of the farm.
        host: the address of the pages.
        port: and their port.
    """

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._address = (host, port)
        self._service: Service | None = None
        self._pages: ChildProcess | None = None
        self._starts = 0

    def open(self) -> None:
        """Hold the service and serve the pages.

        Raises:
            ServiceError: one of them does not come up.
        """
        self._service = Service(self._settings)
        if self._pages is None:
            self._pages = start_pages(self._settings, *self._address)
        self._service.wait_until_ready()

    def keep(self) -> None:
        """Start again what ends by itself, for as long as nobody interrupts.

        Raises:
            ServiceError: it ends again and again.
        """
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self._check()
            except ServiceError as error:
                self._starts += 1
                if self._starts > STARTS_TRIED:
                    raise
                click.echo(
                    f"something was lost, and is started again (its log: {error.data['log']})", err=True
                )
                self._mend()

    def close(self, *, wait: bool) -> None:
        """End the pages, and let go of the service."""
        if self._pages is not None:
            self._pages.stop()
        if self._service is not None and wait:
            self._service.leave()

    def _check(self) -> None:
        if self._service is not None:
            self._service.check()
        if self._pages is not None and self._pages.exit_code() is not None:
            raise ServiceError(
                f"the server of the pages ended; see {self._pages.log}", log=str(self._pages.log)
            )

    def _mend(self) -> None:
        if self._pages is not None and self._pages.exit_code() is not None:
            self._pages.kill()
            self._pages = None
        if self._service is not None:
            self._service.leave()
        self.open()


def start_pages(settings: Settings, host: str, port: int) -> ChildProcess:
    """The HTTP server, once it answers.

    Raises:
        ServiceError: it ended, or does not answer in time; the end of its log is in the sentence.
    """
    argv = (sys.executable, "-m", "farm_api.server", "--host", host, "--port", str(port))
    plan = ChildPlan(name="pages", argv=argv, stage=0, up=lambda: answers(host, port), up_seconds=UP_SECONDS)
    environment = {**os.environ, "WHEELFARM_HOME": str(settings.home)}
    child = ChildProcess(plan, settings.logs, environment)
    while child.exit_code() is None and child.age < plan.up_seconds:
        if plan.up():
            return child
        time.sleep(0.05)
    child.stop()
    tail = child.tail().splitlines()[-1:] or ["it wrote nothing"]
    sentence = (
        f"the pages cannot be served on {address(host, port)} ({tail[0]}); see {child.log}, or take --port"
    )
    raise ServiceError(sentence, log=str(child.log))


def address(host: str, port: int) -> str:
    """The URL of the pages."""
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def answers(host: str, port: int) -> bool:
    """Whether the server says that it is well."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    try:
        with urllib.request.urlopen(address(local, port) + "healthz", timeout=2) as answer:  # noqa: S310 - http only, built above
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
