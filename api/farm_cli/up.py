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
from farm_cli.leftovers import MARK, mark
from farm_cli.record import open_record
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
def command(host: str, port: int) -> int:
    """The subcommand; 0 when it was asked to end."""
    interruption = Interruption()
    with interruption.listening(), open_record() as record:
        pages: ChildProcess | None = None
        service = Service(record.settings)
        try:
            pages = start_pages(record.settings, host, port)
            service.wait_until_ready()
            click.echo(f"the farm is up: {address(host, port)} (Ctrl-C ends it)")
            _keep_up(service, pages, record.settings, host, port)
        except KeyboardInterrupt:
            click.echo("the farm stops", err=True)
        finally:
            if pages is not None:
                pages.stop()
            if interruption.wishes < 2:
                service.leave()
    return 0


def start_pages(settings: Settings, host: str, port: int) -> ChildProcess:
    """The HTTP server, once it answers.

    Raises:
        ServiceError: it ended, or does not answer in time; the end of its log is in the sentence.
    """
    argv = (sys.executable, "-m", "farm_api.server", "--host", host, "--port", str(port))
    plan = ChildPlan(name="pages", argv=argv, stage=0, up=lambda: answers(host, port), up_seconds=UP_SECONDS)
    environment = {**os.environ, MARK: mark(settings), "WHEELFARM_HOME": str(settings.home)}
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


def _keep_up(service: Service, pages: ChildProcess, settings: Settings, host: str, port: int) -> None:
    starts = 0
    while True:
        service.check()
        if pages.exit_code() is not None:
            starts += 1
            if starts > STARTS_TRIED:
                raise ServiceError(f"the pages ended {starts} times; see {pages.log}", log=str(pages.log))
            pages.kill()
            pages = start_pages(settings, host, port)
        time.sleep(LOOK_SECONDS)
