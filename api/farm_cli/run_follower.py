"""A run from its submission to its end, while the service is held.

Called by run. It submits, owns the run, asks the record again and again, comes back to a service that was lost, and
cancels when the person wants out. It prints nothing: what there is to see goes to the screen.
"""

import time

from celery import Celery

from farm_cli.errors import ServiceError
from farm_cli.interruption import Interruption
from farm_cli.ownership import own
from farm_cli.record import Record
from farm_cli.screen import Screen
from farm_cli.service import Service
from farm_scheduler import runs
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import EngineError
from farm_scheduler.identifiers import new_id
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport, read_report
from farm_scheduler.tables import Run

LOOK_SECONDS = 0.25
CANCEL_SECONDS = 20.0
SERVICES_TRIED = 3


class RunFollower:
    """One run of one command."""

    def __init__(self, record: Record, screen: Screen, interruption: Interruption) -> None:
        self._record = record
        self._screen = screen
        self._interruption = interruption
        self._service: Service | None = None

    def run(self, target: str, narrowing: Narrowing) -> RunReport:
        """Submit and follow; the run as it ended. The service is let go of in any case.

        Raises:
            FarmError: nothing was submitted, or the service cannot be kept up.
            KeyboardInterrupt: the person wanted out before anything was submitted, or for the second time.
        """
        try:
            self._hold_service()
            # Owned before it is recorded: however this command dies, no run is left without anybody to cancel it.
            run_id = new_id("r")
            with own(self._record.settings, run_id):
                run = self._submit(target, narrowing, run_id)
                with self._interruption.held():
                    return self._until_ended(run)
        finally:
            if self._service is not None and self._interruption.wishes < 2:
                self._service.leave()

    def _submit(self, target: str, narrowing: Narrowing, run_id: str) -> Run:
        settings, database = self._record.settings, self._record.database
        app: Celery = celery_app(settings)
        try:
            return runs.submit(database, app, settings, target, narrowing, run_id)
        except (EngineError, KeyboardInterrupt):
            with database.read() as session:
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
                runs.cancel(self._record.database, run.id)
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
