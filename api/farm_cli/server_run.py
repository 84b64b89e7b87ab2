"""`run` and `rerun` on a farm elsewhere: the folder or file is sent, the run is followed, Ctrl-C cancels it there.

Called by both with --server. The farm fetches what is not on this machine, and judges everything; nothing is run here.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from farm_cli.errors import ServerRefusalError
from farm_cli.interruption import Interruption
from farm_cli.run_follower import choose_screen
from farm_cli.screen import Screen
from farm_cli.server_report import log_ends, read_run
from farm_cli.servers import open_server
from farm_scheduler.folder_archive import write_folder_archive
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport
from farm_scheduler.settlement import CANCELLED
from farm_scheduler.targets import FolderTarget, SdistTarget, WheelTarget, read_target
from wheelfarm_client import Farm, MissingError

LOOK_SECONDS = 1.0
WAIT_SECONDS = 0.5
TELL_SECONDS = 15.0
CANCEL_SECONDS = 20.0
LARGEST_ARCHIVE = 1 << 40
"""No bound of ours: the farm has its own, and tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A run that a person wants of a farm elsewhere."""

    target: str
    narrowing: Narrowing
    retries: int | None = None
    priority: int = 0


def run_on_server(server: str, wish: Wish, *, as_json: bool) -> int:
    """Start a run there and follow it; the exit code of the command."""

    def start(farm: Farm, screen: Screen) -> str:
        asked = farm.start_run(
            wish.target,
            upload=_send(farm, wish.target, screen),
            pythons=wish.narrowing.pythons,
            systems=wish.narrowing.systems,
            retries=wish.retries,
            priority=wish.priority,
        )
        return asked.id

    return _follow(server, start, as_json=as_json)


def rerun_on_server(server: str, job: str, *, as_json: bool) -> int:
    """Run a job there once more and follow its run; the exit code of the command."""
    return _follow(server, lambda farm, _screen: farm.rerun_job(job).id, as_json=as_json)


def _send(farm: Farm, target: str, screen: Screen) -> str | None:
    """The upload of what is on this machine; None for what the farm fetches itself."""
    found = read_target(target)
    tell = _progress(screen)
    match found:
        case FolderTarget():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "source.tar.gz")
                with path.open("wb") as stream:
                    write_folder_archive(found.path, stream, LARGEST_ARCHIVE)
                return farm.send_file(path, "folder", name=_name(found.path.name), progress=tell).id
        case SdistTarget():
            return farm.send_file(found.path, "sdist", progress=tell).id
        case WheelTarget():
            return farm.send_file(found.path, "wheel", progress=tell).id
    return None


def _name(folder: str) -> str:
    """A folder's name as the farm takes it."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in folder)
    return plain.strip("_")[:200] or "project"


def _progress(screen: Screen) -> Callable[[int, int], None]:
    def tell(received: int, size: int) -> None:
        if received < size or size > 8 << 20:
            screen.say(f"sent {received * 100 // size} % of {size / (1 << 20):.1f} MiB")

    return tell


def _follow(server: str, start: Callable[[Farm, Screen], str], *, as_json: bool) -> int:
    interruption = Interruption()
    with interruption.listening(), open_server(server) as farm:
        screen = choose_screen(as_json=as_json)
        try:
            run = start(farm, screen)
            with interruption.held():
                report = _until_ended(farm, run, screen, interruption)
        finally:
            screen.close()
        return _show_end(farm, screen, report)


def _until_ended(farm: Farm, run: str, screen: Screen, interruption: Interruption) -> RunReport:
    _wait_until_there(farm, run, screen, interruption)
    deadline: float | None = None
    while True:
        report = read_run(farm, run)
        screen.show(report)
        if report.ended:
            return read_run(farm, run, failing=20)
        if interruption.wishes and deadline is None:
            deadline = time.monotonic() + CANCEL_SECONDS
            screen.say("cancelling the run; Ctrl-C again does not wait")
            farm.cancel_run(run)
        if deadline is not None and time.monotonic() > deadline:
            return report
        time.sleep(LOOK_SECONDS)


def _wait_until_there(farm: Farm, run: str, screen: Screen, interruption: Interruption) -> None:
    """Until a worker has fetched and checked the source.

    Raises:
        ServerRefusalError: it cannot be used.
        KeyboardInterrupt: the person wanted out; the wish is withdrawn.
    """
    asked = time.monotonic()
    while True:
        try:
            wish = farm.get_submission(run)
        except MissingError:
            return  # a run that was there before, of which a job is run again
        if wish.state == "accepted":
            return
        if wish.state == "refused":
            raise ServerRefusalError(wish.reason or "the farm refused the source", code=wish.code, run=run)
        if interruption.wishes:
            farm.cancel_run(run)
            raise KeyboardInterrupt
        if time.monotonic() - asked > TELL_SECONDS:
            asked = time.monotonic()
            screen.say("the farm has not fetched and checked the source yet")
        time.sleep(WAIT_SECONDS)


def _show_end(farm: Farm, screen: Screen, report: RunReport) -> int:
    from farm_cli.json_lines import JsonLines, summary_document
    from farm_cli.summary import print_summary, summary_console

    exit_code = report.exit_code if report.exit_code is not None else CANCELLED
    tails = log_ends(farm, report)
    if isinstance(screen, JsonLines):
        screen.tell("summary", **summary_document(report, exit_code, tails))
    else:
        print_summary(summary_console(), report, tails)
        click.echo(f"on {farm.server}: every command above needs --server {farm.server}", err=True)
    return exit_code
