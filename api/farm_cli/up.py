"""`wheelfarm up`: keeps the service up and serves the pages until Ctrl-C.

Found by main. It holds the service like every other client, and starts the HTTP server as a child of its own; whichever
ends is started again, without the other. It runs no job.
"""

import time

import click

from farm_cli.errors import ServiceError
from farm_cli.interruption import Interruption
from farm_cli.pages import Pages, address
from farm_cli.record import open_record
from farm_cli.server_option import here_only
from farm_cli.service import Service
from farm_cli.tries import Tries
from farm_scheduler.settings import Settings

LOOK_SECONDS = 0.5

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
    """The service and the pages: neither ends because of the other.

    Args:
        settings: of the farm.
        host: the address of the pages.
        port: and their port.
    """

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._settings = settings
        self._pages = Pages(settings, host, port)
        self._service: Service | None = None
        self._held = 0.0
        self._tries = Tries("the embedded service")

    def open(self) -> None:
        """Hold the service and serve the pages.

        Raises:
            ServiceError: one of them does not come up.
        """
        service = self._hold()
        self._pages.open()
        service.wait_until_ready()

    def keep(self) -> None:
        """Start again what ends by itself, for as long as nobody interrupts.

        Raises:
            ServiceError: it ends again and again.
        """
        while True:
            time.sleep(LOOK_SECONDS)
            self._mind_service()
            self._pages.mind()

    def close(self, *, wait: bool) -> None:
        """End the pages, and let go of the service."""
        self._pages.close()
        if self._service is not None and wait:
            self._service.leave()

    def _hold(self) -> Service:
        self._service = service = Service(self._settings)
        self._held = time.monotonic()
        return service

    def _mind_service(self) -> None:
        lasted = 0.0
        try:
            if self._service is not None:
                lasted = time.monotonic() - self._held
                self._service.check()
            elif self._tries.due:
                self._hold()
        except ServiceError as error:
            if self._service is not None:
                self._service.leave()
                self._service = None
            self._tries.lost(error, lasted=lasted)
