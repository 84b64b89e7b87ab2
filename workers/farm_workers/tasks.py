"""The engine's tasks: ticket, bake, metadata, submission, event, watch, redelivery, report, sweep.

Started as `python -m celery -A farm_workers.tasks worker --beat --pool threads`; Celery asks this module for
`app`, which is built then, from the environment. A task may come twice or never: the record decides. Nothing
here runs a job itself.
"""

import ctypes
import logging
import signal
import threading
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import beat_embedded_init, worker_ready, worker_shutting_down

from farm_scheduler import runs, submissions
from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.dependents import released
from farm_scheduler.engine import (
    BAKE,
    EVENT,
    METADATA,
    REDELIVERY,
    REPORT,
    SUBMISSION,
    SWEEP,
    TICKET,
    WATCH,
    celery_app,
    publish_event,
    publish_tickets,
)
from farm_scheduler.errors import EngineError
from farm_scheduler.events import handle_event
from farm_scheduler.release_watch import look_around
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_workers.feedback.redelivery import look_back
from farm_workers.feedback.sending import Reporter
from farm_workers.image_bake import ImageBake
from farm_workers.machines import holder_machines
from farm_workers.metadata_question import ask_guest
from farm_workers.run import Hands, run_claim
from farm_workers.sweep import first_sweep, sweep, worker_name

PR_SET_PDEATHSIG = 1

LOG = logging.getLogger(__name__)


def __getattr__(name: str) -> Celery:
    """`app`, when Celery asks for it (PEP 562): importing this module opens nothing."""
    if name == "app":
        return _app()
    raise AttributeError(name)


@cache
def _app() -> Celery:
    settings = Settings()
    settings.prepare()
    database = Database(settings.record_url)
    upgrade(database)
    database.close()  # the worker forks its beat: no connection may be shared with it
    hands = Hands(settings=settings, database=database, machines=holder_machines(settings))
    return worker_app(hands)


def worker_app(hands: Hands) -> Celery:
    """The Celery application of a worker, with its tasks."""
    app = celery_app(hands.settings)
    stop = threading.Event()
    tasks = _Tasks(hands, app, stop)
    # Bound methods carry what they work with; Celery's check of arguments (typing) would count `self`.
    app.task(name=TICKET, typing=False)(tasks.ticket)
    app.task(name=BAKE, typing=False)(tasks.bake)
    app.task(name=METADATA, typing=False)(tasks.metadata)
    app.task(name=EVENT, typing=False)(tasks.event)
    app.task(name=REPORT, typing=False)(tasks.report)
    app.task(name=WATCH, typing=False)(tasks.watch)
    app.task(name=REDELIVERY, typing=False)(tasks.redelivery)
    app.task(name=SUBMISSION, typing=False)(tasks.submission)
    app.task(name=SWEEP, typing=False)(tasks.sweep)
    worker_ready.connect(tasks.ready, weak=False)
    beat_embedded_init.connect(_die_with_worker, weak=False)
    worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
    return app


def _die_with_worker(**_: Any) -> None:
    """Beat is a process of its own: the kernel ends it when the worker is killed (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Tasks:
    """The tasks of one worker process."""

    def __init__(self, hands: Hands, app: Celery, stop: threading.Event) -> None:
        self._hands = hands
        self._app = app
        self._stop = stop
        self._slots = threading.BoundedSemaphore(hands.settings.slots)
        self._sweeping = threading.Lock()
        self._watching = threading.Lock()
        self._looking_back = threading.Lock()
        self._reporting = threading.Lock()
        self._reporter = Reporter(hands.database, hands.settings)

    def ticket(self) -> None:
        """Run the best queued jobs, one after the other, until there is none; nothing to do is no error.

        With every slot at work a ticket is dropped: whoever works looks for the next job itself. So short tasks find a
        free thread beside the jobs.
        """
        if not self._slots.acquire(blocking=False):
            return
        try:
            while not self._stop.is_set() and self._run_one():
                pass
        finally:
            self._slots.release()

    def _run_one(self) -> bool:
        """Claim a job and run it; whether there was one."""
        settings = self._hands.settings
        claim = claim_job(self._hands.database, worker=worker_name(), lease_seconds=settings.lease_seconds)
        if claim is None:
            return False
        LOG.info("%s: attempt %d of %s", claim.attempt_id, claim.number, claim.job_id)
        run_claim(self._hands, claim)
        self._tickets(released(self._hands.database, claim.job_id))
        return True

    def _tickets(self, count: int) -> None:
        try:
            publish_tickets(self._app, count)
        except EngineError as error:
            LOG.warning("%s", error)  # the sweep sends them

    def bake(self, system: str) -> None:
        """Bring the image of a system to ready, then plan the runs that wait for it."""
        hands = self._hands
        ImageBake(
            system,
            settings=hands.settings,
            database=hands.database,
            machines=hands.machines,
            stop=self._stop,
        ).run()
        self._advance()
        self.sweep()

    def metadata(self, sha256: str, system: str) -> None:
        """Ask a machine for the metadata of a source, then plan the runs that wait for it."""
        if self._stop.is_set():
            return
        ask_guest(self._hands, sha256, system, worker=worker_name(), stop=self._stop)
        self._advance()

    def event(self, event_id: str, *others: str) -> None:
        """Make the run that an event asks for, unless it has one; others in the message are for whoever is free."""
        if self._stop.is_set():
            return
        try:
            for other in others:
                publish_event(self._app, other)
        except EngineError as error:
            LOG.warning("the sweep will send what is left: %s", error)
        handle_event(self._hands.database, self._app, self._hands.settings, event_id, worker=worker_name())

    def watch(self) -> None:
        """Look for new releases of what is followed, unless somebody is at it."""
        if not self._stop.is_set() and self._watching.acquire(blocking=False):
            try:
                for event_id in look_around(self._hands.database, self._hands.settings):
                    publish_event(self._app, event_id)
            except EngineError as error:
                LOG.warning("the sweep will send what is left: %s", error)
            finally:
                self._watching.release()

    def redelivery(self) -> None:
        """Have GitHub deliver again what did not arrive, unless somebody is at it."""
        if not self._stop.is_set() and self._looking_back.acquire(blocking=False):
            try:
                look_back(self._hands.database, self._hands.settings)
            finally:
                self._looking_back.release()

    def report(self) -> None:
        """Tell forges and people of runs that began or ended, unless somebody is at it."""
        if not self._stop.is_set() and self._reporting.acquire(blocking=False):
            try:
                self._reporter.report()
            finally:
                self._reporting.release()

    def submission(self, submission_id: str) -> None:
        """Fetch and check what somebody wants to be run, and record the run."""
        if not self._stop.is_set():
            submissions.carry_out(self._hands.database, self._app, self._hands.settings, submission_id)

    def _advance(self) -> None:
        for run_id in runs.waiting_runs(self._hands.database):
            runs.advance(self._hands.database, self._app, self._hands.settings, run_id)

    def sweep(self) -> None:
        """One round of the sweep, unless one is on its way."""
        if self._sweeping.acquire(blocking=False):
            try:
                sweep(self._hands.database, self._app, self._hands.settings)
            except EngineError as error:
                LOG.warning("%s", error)
            finally:
                self._sweeping.release()

    def ready(self, **_: Any) -> None:
        """The worker waits for messages: begin with what its forerunner left."""
        try:
            first_sweep(self._hands.database, self._app, self._hands.settings)
        except EngineError as error:
            LOG.warning("%s", error)
