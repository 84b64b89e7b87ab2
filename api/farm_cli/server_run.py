"""`run` and `rerun` on a farm elsewhere: the folder or file is sent, the run is followed, Ctrl-C cancels it there.

Called by both with --server. The farm fetches what is not on this machine, and judges everything; nothing is run here.
A farm that goes away meanwhile is asked again for a minute; the run goes on there in any case.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from farm_cli.errors import ServerError, ServerRefusalError
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
from wheelfarm_client import Farm, MissingError, ProblemError, UnreachableError

Answer = TypeVar("Answer")

LOOK_SECONDS = 1.0
WAIT_SECONDS = 0.5
TELL_SECONDS = 15.0
CANCEL_SECONDS = 20.0
AWAY_SECONDS = 60.0
AWAY = frozenset({502, 503, 504})
"""What a server in front of a farm that is away answers, or the farm while its record is."""

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
            installers=[each.value for each in wish.narrowing.installers],
            constraints=wish.narrowing.constraints,
            cutoff=wish.narrowing.cutoff,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _There:
    """A run on a farm elsewhere, and who looks at it."""

    farm: Farm
    run: str
    screen: Screen
    interruption: Interruption

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer, also of a farm that is away for a moment.

        Raises:
            ServerError: it is away for longer, or the person does not want to wait for it.
        """
        away: float | None = None
        while True:
            try:
                return question()
            except (UnreachableError, ProblemError) as error:
                if isinstance(error, ProblemError) and error.status not in AWAY:
                    raise
                if away is None:
                    away = time.monotonic()
                    self.screen.say(f"{self.farm.server} does not answer; it is asked again for a minute")
                if self.interruption.wishes or time.monotonic() - away > AWAY_SECONDS:
                    sentence = (
                        f"{self.farm.server} does not answer any more; the run goes on there, "
                        f"see it with: wheelfarm results {self.run} --server {self.farm.server}"
                    )
                    raise ServerError(sentence, server=self.farm.server, run=self.run) from error
            time.sleep(LOOK_SECONDS)


def _follow(server: str, start: Callable[[Farm, Screen], str], *, as_json: bool) -> int:
    interruption = Interruption()
    with interruption.listening(), open_server(server) as farm:
        screen = choose_screen(as_json=as_json)
        try:
            there = _There(farm=farm, run=start(farm, screen), screen=screen, interruption=interruption)
            with interruption.held():
                report = _until_ended(there)
        finally:
            screen.close()
        return _show_end(farm, screen, report)


def _until_ended(there: _There) -> RunReport:
    _wait_until_there(there)
    farm, run = there.farm, there.run
    deadline: float | None = None
    while True:
        report = there.ask(lambda: read_run(farm, run))
        there.screen.show(report)
        if report.ended:
            return there.ask(lambda: read_run(farm, run, failing=20))
        if there.interruption.wishes and deadline is None:
            deadline = time.monotonic() + CANCEL_SECONDS
            there.screen.say("cancelling the run; Ctrl-C again does not wait")
            there.ask(lambda: farm.cancel_run(run))
        if deadline is not None and time.monotonic() > deadline:
            return report
        time.sleep(LOOK_SECONDS)


def _wait_until_there(there: _There) -> None:
    """Until a worker has fetched and checked the source.

    Raises:
        ServerRefusalError: it cannot be used.
        KeyboardInterrupt: the person wanted out; the wish is withdrawn.
    """
    farm, run = there.farm, there.run
    asked = time.monotonic()
    while True:
        try:
            wish = there.ask(lambda: farm.get_submission(run))
        except MissingError:
            return  # a run that was there before, of which a job is run again
        if wish.state == "accepted":
            return
        if wish.state == "refused":
            raise ServerRefusalError(wish.reason or "the farm refused the source", code=wish.code, run=run)
        if there.interruption.wishes:
            there.ask(lambda: farm.cancel_run(run))
            raise KeyboardInterrupt
        if time.monotonic() - asked > TELL_SECONDS:
            asked = time.monotonic()
            there.screen.say("the farm has not fetched and checked the source yet")
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
