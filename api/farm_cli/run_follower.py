"""A run from its submission, or from the rerun of one of its jobs, to its end, while the service is held.

Called by run and rerun. It submits, owns the run, asks the record again and again, comes back to a service that was
lost, and cancels when the person wants out. It plans and judges nothing: the record says what to show.
"""

import time
from dataclasses import dataclass
from typing import Protocol

import click
from celery import Celery

from farm_cli.errors import ServiceError
from farm_cli.interruption import Interruption
from farm_cli.json_lines import JsonLines, summary_document
from farm_cli.ownership import own
from farm_cli.record import Record, local_caller, open_record
from farm_cli.screen import Screen
from farm_cli.service import Service
from farm_scheduler import reruns, runs
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import EngineError
from farm_scheduler.identifiers import new_id
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport, read_report
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import CANCELLED
from farm_scheduler.tables import Run
from farm_scheduler.triggers import Cause

LOOK_SECONDS = 0.25
CANCEL_SECONDS = 20.0
SERVICES_TRIED = 3


class Submission(Protocol):
    """What a command wants done."""

    def run_id(self, record: Record) -> str:
        """The run that it will be; nothing is recorded yet.

        Raises:
            InputError: it can be refused already.
        """

    def submit(self, record: Record, app: Celery, run_id: str) -> Run:
        """Record it and set it going.

        Raises:
            FarmError: it cannot be done.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A new run of a target."""

    target: str
    narrowing: Narrowing
    retries: int | None = None
    priority: int = 0

    def run_id(self, record: Record) -> str:
        """A fresh id."""
        del record
        return new_id("r")

    def submit(self, record: Record, app: Celery, run_id: str) -> Run:
        """Record the run, under this id."""
        return runs.submit(
            record.database,
            app,
            record.settings,
            self.target,
            self.narrowing,
            run_id,
            retries=self.retries,
            cause=Cause(priority=self.priority, caller=local_caller()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A job that has ended, once more."""

    job_id: str

    def run_id(self, record: Record) -> str:
        """The run of the job."""
        return reruns.run_to_reopen(record.database, record.settings, self.job_id)

    def submit(self, record: Record, app: Celery, run_id: str) -> Run:
        """Open the run again."""
        del run_id
        return reruns.rerun(record.database, app, record.settings, self.job_id, caller=local_caller())


def follow(submission: Submission, *, as_json: bool) -> int:
    """Submit, show it until it has ended, and print the summary; the exit code of the command.

    Raises:
        FarmError: nothing was submitted, or the service cannot be kept up.
        KeyboardInterrupt: the person wanted out before anything was submitted, or for the second time.
    """
    interruption = Interruption()
    with interruption.listening(), open_record() as record:
        screen = choose_screen(as_json=as_json)
        try:
            report = RunFollower(record, screen, interruption).run(submission)
        finally:
            screen.close()
        return show_end(screen, report, record.settings)


def choose_screen(*, as_json: bool) -> Screen:
    """The screen that fits where stdout goes."""
    if as_json:
        return JsonLines(click.echo)
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        from farm_cli.live_table import LiveTable

        return LiveTable(console)
    from farm_cli.plain_lines import PlainLines

    return PlainLines(click.echo)


def show_end(screen: Screen, report: RunReport, settings: Settings) -> int:
    """The summary; the exit code of the command."""
    from farm_cli.summary import log_tails, print_summary, summary_console

    # Without one the run was given up on: it was cancelled, and did not end in time.
    exit_code = report.exit_code if report.exit_code is not None else CANCELLED
    tails = log_tails(report, settings.home)
    if isinstance(screen, JsonLines):
        screen.tell("summary", **summary_document(report, exit_code, tails))
    else:
        print_summary(summary_console(), report, tails)
    return exit_code


class RunFollower:
    """One run of one command."""

    def __init__(self, record: Record, screen: Screen, interruption: Interruption) -> None:
        self._record = record
        self._screen = screen
        self._interruption = interruption
        self._service: Service | None = None

    def run(self, submission: Submission) -> RunReport:
        """Submit and follow; the run as it ended. The service is let go of in any case."""
        run_id = submission.run_id(self._record)
        try:
            self._hold_service()
            # Owned before it is recorded: however this command dies, no run is left without anybody to cancel it.
            with own(self._record.settings, run_id):
                run = self._submit(submission, run_id)
                with self._interruption.held():
                    return self._until_ended(run)
        finally:
            if self._service is not None and self._interruption.wishes < 2:
                self._service.leave()

    def _submit(self, submission: Submission, run_id: str) -> Run:
        app: Celery = celery_app(self._record.settings)
        try:
            return submission.submit(self._record, app, run_id)
        except (EngineError, KeyboardInterrupt):
            with self._record.database.read() as session:
                run = session.get(Run, run_id)
            if run is None:
                raise
            return run  # recorded already: followed until the service is back, or until it is cancelled
        finally:
            app.close()

    def _hold_service(self) -> None:
        self._service = Service(self._record.settings)
        # The queue is all that a submission needs; machines come up while the source is fetched.
        self._service.wait_for("redis")

    def _until_ended(self, run: Run) -> RunReport:
        services = 1
        while True:
            try:
                return self._watch(run)
            except ServiceError as error:
                services += 1
                if services > SERVICES_TRIED:
                    raise
                self._screen.say(
                    f"the embedded service was lost, and is started again (its log: {error.data['log']})"
                )
                self._hold_service()

    def _watch(self, run: Run) -> RunReport:
        deadline: float | None = None
        while True:
            report = self._look(run)
            if report.ended:
                return self._look(run, failing=20)
            if self._interruption.wishes and deadline is None:
                deadline = time.monotonic() + CANCEL_SECONDS
                self._screen.say("cancelling the run; Ctrl-C again does not wait")
                runs.cancel(self._record.database, run.id, local_caller())
            if deadline is not None and time.monotonic() > deadline:
                return report
            if self._service is not None:
                self._service.check()
            time.sleep(LOOK_SECONDS)

    def _look(self, run: Run, failing: int = 0) -> RunReport:
        with self._record.database.read() as session:
            report = read_report(session, run.id, failing=failing)
        self._screen.show(report)
        return report
