"""The engine's tasks: ticket, bake, metadata, submission, event, watch, redelivery, report, sweep.

Started as `python -m celery -A farm_workers.tasks worker --pool threads`; Celery asks this module for `app`, which
is built then, from the environment. What is periodic comes from beat, a process of its own. A task may come twice or
never: the record decides. Nothing here runs a job itself.
"""

import logging
import threading
from functools import cache
from typing import Any

from celery import Celery
from celery.signals import worker_ready, worker_shutting_down
from sqlalchemy.exc import SQLAlchemyError

from farm_scheduler import disk_room, runs
from farm_scheduler.claims import claim_job
from farm_scheduler.clock_jumps import ClockWatch
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
    listen,
    publish_event,
    publish_tickets,
)
from farm_scheduler.errors import EngineError
from farm_scheduler.release_watch import look_around
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.worker_lives import say_alive
from farm_workers.feedback.redelivery import look_back
from farm_workers.feedback.sending import Reporter
from farm_workers.fetching import Fetching
from farm_workers.image_bake import ImageBake
from farm_workers.lost_channel import outlive_connections
from farm_workers.machines import holder_machines
from farm_workers.metadata_question import ask_guest
from farm_workers.run import Hands, run_claim
from farm_workers.sweep import first_sweep, sweep, worker_name

LIVES_PER_LEASE = 5
"""How often a worker says that it lives, in the time after which it is missed."""

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
    hands = Hands(settings=settings, database=database, machines=holder_machines(settings))
    return worker_app(hands)


def worker_app(hands: Hands) -> Celery:
    """The Celery application of a worker, with its tasks."""
    outlive_connections()
    app = celery_app(hands.settings)
    listen(app, hands.settings.host_kind)
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
    worker_shutting_down.connect(lambda **_: stop.set(), weak=False)
    return app


class _Tasks:
    """The tasks of one worker process."""

    def __init__(self, hands: Hands, app: Celery, stop: threading.Event) -> None:
        self._hands = hands
        self._app = app
        self._stop = stop
        self._kinds = hands.settings.host_kinds
        self._served = self._kinds.served_by(hands.settings.host_kind)
        self._slots = threading.BoundedSemaphore(hands.settings.slots)
        self._sweeping = threading.Lock()
        self._watching = threading.Lock()
        self._looking_back = threading.Lock()
        self._reporting = threading.Lock()
        self._clock = ClockWatch()
        self._fetching = Fetching(hands, app, stop)
        self._reporter = Reporter(hands.database, hands.settings, stop)

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
        if disk_room.is_short(settings.home):
            LOG.warning("%s; no job is begun until then", disk_room.no_room(settings.home))
            return False
        claim = claim_job(
            self._hands.database,
            worker=worker_name(),
            lease_seconds=settings.lease_seconds,
            served=self._served,
        )
        if claim is None:
            return False
        LOG.info("%s: attempt %d of %s", claim.attempt_id, claim.number, claim.job_id)
        run_claim(self._hands, claim)
        self._tickets(released(self._hands.database, claim.job_id))
        return True

    def _tickets(self, systems: list[str]) -> None:
        try:
            publish_tickets(self._app, self._kinds.count(systems))
        except EngineError as error:
            LOG.warning("%s", error)  # the sweep sends them

    def bake(self, system: str, look_only: bool = False) -> None:
        """Bring the image of a system to ready (or only look at it), then plan the runs that wait for it."""
        hands = self._hands
        if not self._served.has(system):
            LOG.warning(
                "the image of %s is for hosts of another kind; this one is %s",
                system,
                hands.settings.host_kind,
            )
            return
        ImageBake(
            system,
            settings=hands.settings,
            database=hands.database,
            machines=hands.machines,
            stop=self._stop,
        ).run(look_only=look_only)
        self._advance()
        self.sweep()

    def metadata(self, sha256: str, system: str) -> None:
        """Ask a machine for the metadata of a source, then plan the runs that wait for it."""
        if self._stop.is_set() or not self._served.has(system):
            return
        ask_guest(self._hands, sha256, system, worker=worker_name(), stop=self._stop)
        self._advance()

    def event(self, _event_id: str, *others: str) -> None:
        """Make the runs that events ask for, the oldest first; others in the message are for whoever is free."""
        if self._stop.is_set():
            return
        try:
            for other in others:
                publish_event(self._app, other)
        except EngineError as error:
            LOG.warning("the sweep will send what is left: %s", error)
        self._fetching.fetch()

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
        """Begin to tell forges and people of runs that began or ended, unless somebody is at it."""
        if not self._stop.is_set() and self._reporting.acquire(blocking=False):
            try:
                self._reporter.report()
            finally:
                self._reporting.release()

    def submission(self, _submission_id: str) -> None:
        """Fetch and check what people want to be run, the oldest first, and record the runs."""
        self._fetching.fetch()

    def _advance(self) -> None:
        for run_id in runs.waiting_runs(self._hands.database):
            runs.advance(self._hands.database, self._app, self._hands.settings, run_id)

    def sweep(self) -> None:
        """One round of the sweep, unless one is on its way."""
        if self._sweeping.acquire(blocking=False):
            try:
                sweep(self._hands.database, self._app, self._hands.settings, clock=self._clock)
            except EngineError as error:
                LOG.warning("%s", error)
            finally:
                self._sweeping.release()

    def _live(self) -> None:
        """Say again and again that this worker lives, until it ends."""
        while True:
            try:
                say_alive(self._hands.database, worker_name())
            except SQLAlchemyError as error:
                LOG.warning("the record does not answer: %s", error)
            if self._stop.wait(self._hands.settings.lease_seconds / LIVES_PER_LEASE):
                return

    def ready(self, **_: Any) -> None:
        """The worker waits for messages: say that it lives, and begin with what its forerunner left."""
        threading.Thread(target=self._live, name="life", daemon=True).start()
        try:
            first_sweep(self._hands.database, self._app, self._hands.settings)
        except EngineError as error:
            LOG.warning("%s", error)
