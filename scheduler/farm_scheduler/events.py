"""Events: each becomes one run, whatever is lost, doubled or killed on the way.

Called by the worker's task, which handles one, and by the sweep, which brings back what was lost. The id of the run is
in the event before it is tried, so that a second try finds the run of the first. Only a worker fetches here; it
never looks into a project itself.
"""

import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial

from celery import Celery
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import Session, col, or_, select

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.errors import FARMS_FAULT, EngineError, FarmError, TargetError, exit_code_of
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.patience import patiently
from farm_scheduler.plan import Narrowing
from farm_scheduler.settings import Settings
from farm_scheduler.sources import find_commit
from farm_scheduler.states import RunState
from farm_scheduler.superseded import newer_than, supersede, why_superseded
from farm_scheduler.tables import Run, now
from farm_scheduler.targets import RepositoryTarget, read_target
from farm_scheduler.triggers import Cause, Trigger

LOG = logging.getLogger(__name__)

FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=1)
GIVE_UP = timedelta(hours=24)
"""How long an event is tried again that fails by nobody's fault, or whose release has no files yet."""

FEWEST_TRIES = 32
"""What it is tried at least, however old it is: with their waits as many take a day in which the farm is on."""

COMMIT_TRIES = 3
"""How often a commit is looked for that is not there: a forge may tell of it before all of its servers have it."""

PUBLISH_AGAIN = timedelta(seconds=30)
"""A message that came to nothing in this time is sent again; the sweep looks more often."""

AT_ONCE = 100
"""Events whose messages one round of the sweep sends again."""

STAND_BACK = timedelta(seconds=2)
"""How long an event waits for another that is at work on the same."""

SLACK_SECONDS = 120.0


class _SameAtWorkError(Exception):
    """A worker is making the run of another event that asks for the same."""


def handle_event(database: Database, app: Celery, settings: Settings, event_id: str, *, worker: str) -> None:
    """Make the run that an event asks for; nothing where it is not due, or somebody else has it."""
    event = _claim(database, settings, event_id, worker)
    if event is None:
        return
    try:
        run_id, reason = _make_run(database, app, settings, event)
    except FarmError as error:
        patiently(partial(_put_off, database, event, error))
    except (_SameAtWorkError, IntegrityError):
        # Its run, or its end without one, is found by the next try; this one counts for nothing.
        event.tries -= 1
        patiently(partial(_release, database, event, STAND_BACK, "another event asks for the same"))
    except OperationalError:
        patiently(partial(_release, database, event, timedelta(seconds=1), "the record did not answer"))
    else:
        patiently(partial(_finish, database, event, run_id, reason))


def due_events(database: Database) -> list[str]:
    """Events that wait without a message on its way, oldest first; the caller sends one for each."""
    due = (
        col(Event.state) == EventState.WAITING,
        or_(col(Event.not_before).is_(None), col(Event.not_before) <= now()),
        or_(col(Event.published).is_(None), col(Event.published) <= now() - PUBLISH_AGAIN),
    )
    chosen = select(Event).where(*due).order_by(col(Event.created)).limit(AT_ONCE)
    with database.read() as session:
        if session.exec(chosen.limit(1)).first() is None:
            return []
    with database.write() as session:
        events = session.exec(chosen).all()
        for event in events:
            event.published = now()
        return [event.id for event in events]


def expire_events(database: Database, dead_workers: Collection[str] = ()) -> None:
    """Let events wait again whose worker has died, or took longer than it may."""
    mine = or_(col(Event.lease_expires) < now(), col(Event.worker).in_(list(dead_workers)))
    with database.read() as session:
        if session.exec(select(Event.id).where(Event.state == EventState.WORKING, mine)).first() is None:
            return
    with database.write() as session:
        for event in session.exec(select(Event).where(Event.state == EventState.WORKING, mine)):
            event.state, event.not_before, event.published = EventState.WAITING, now(), None


def lease_of_event(settings: Settings) -> timedelta:
    """How long a worker may take for one event: git may be asked twice."""
    return timedelta(seconds=2 * settings.git_seconds + SLACK_SECONDS)


def working_workers(session: Session) -> set[str]:
    """The workers that have an event now."""
    return set(session.exec(select(Event.worker).where(Event.state == EventState.WORKING).distinct()))


def _claim(database: Database, settings: Settings, event_id: str, worker: str) -> Event | None:
    with database.write() as session:
        event = session.get(Event, event_id, with_for_update=True)
        if event is None or event.state != EventState.WAITING:
            return None
        if event.not_before is not None and event.not_before > now():
            return None
        event.state, event.worker = EventState.WORKING, worker
        event.tries += 1
        event.lease_expires = now() + lease_of_event(settings)
        return event


def _make_run(database: Database, app: Celery, settings: Settings, event: Event) -> tuple[str, str | None]:
    """The run of an event, and what is to be said of it.

    Raises:
        FarmError: it cannot be had, or not now.
        _SameAtWorkError: another worker does the same at this moment.
    """
    with database.read() as session:
        if session.get(Run, event.run_id) is not None:
            return event.run_id, None  # of a try that was killed before it could say so
    target = event.target
    if target.startswith("git+"):
        event.revision = event.revision or _revision(settings, event)
        target = f"{target}@{event.revision}"
    if not event.again and (found := _look_round(database, event)) is not None:
        return found
    cause = Cause(trigger=event.trigger, project_id=event.project_id, ref=event.ref, revision=event.revision)
    try:
        runs.submit(database, app, settings, target, Narrowing(), event.run_id, cause=cause)
    except EngineError as error:
        LOG.warning("%s: its run is recorded, and the sweep sends its tickets: %s", event.id, error)
    return event.run_id, None


def _revision(settings: Settings, event: Event) -> str:
    """The commit that the event's tag names now."""
    found = read_target(f"{event.target}@{event.ref}")
    if not isinstance(found, RepositoryTarget):
        raise TargetError(f"{event.target} is no repository; check the project", target=event.target)
    return find_commit(found, settings)


def _look_round(database: Database, event: Event) -> tuple[str, str] | None:
    """The run that makes another one needless, and why; None when this event is to make its own.

    An event that is put off leads nobody: whoever asks for the same next tries it.
    """
    work = _work(event)
    with database.write() as session:
        mine = session.get(Event, event.id)
        if mine is None:
            return event.run_id, "its project was removed"
        chosen = select(Event).where(Event.work == work, Event.id != event.id)
        other = session.exec(chosen.with_for_update()).first()
        if other is not None:
            run = session.get(Run, other.run_id)
            if run is not None and run.state not in {RunState.CANCELLED, RunState.CANCELLING}:
                mine.run_id = run.id  # from now on the run is wanted for this ref as well
                return run.id, "the same was asked for before"
            if run is None and other.state is EventState.WORKING:
                raise _SameAtWorkError
            other.work = None
            session.flush()
        newest = newer_than(session, event)
        if newest is not None:
            return event.run_id, why_superseded(newest)
        mine.work, mine.revision = work, event.revision
    return None


def _work(event: Event) -> str:
    """What an event asks for, and from where: nothing that a fork has stands in for the project's own repository.

    A tag of a commit is another thing than the commit, as versions come from tags.
    """
    if not event.target.startswith("git+"):
        return f"{event.project_id} release {event.target}"
    tag = event.trigger in {Trigger.TAG, Trigger.RELEASE}
    return f"{event.project_id} {event.target} {f'tag {event.ref}' if tag else 'commit'} {event.revision}"


def _put_off(database: Database, event: Event, error: FarmError) -> None:
    """Try again later, or end with the reason."""
    release = event.trigger is Trigger.RELEASE and not event.target.startswith("git+")
    missing = isinstance(error, TargetError) and (release or event.tries < COMMIT_TRIES)
    nobodys_fault = exit_code_of(error) == FARMS_FAULT
    worth_it = event.tries < FEWEST_TRIES or now() - event.created < GIVE_UP
    if (missing or nobodys_fault) and worth_it:
        wait = min(FIRST_WAIT * 2 ** min(event.tries - 1, 20), LONGEST_WAIT)
        _release(database, event, wait, error.sentence)
        return
    LOG.warning("%s failed: %s", event.id, error)
    with database.write() as session:
        row = session.get(Event, event.id)
        if row is not None and row.state == EventState.WORKING and row.worker == event.worker:
            row.state, row.reason, row.finished = EventState.FAILED, error.sentence, now()


def _release(database: Database, event: Event, wait: timedelta, reason: str) -> None:
    with database.write() as session:
        row = session.get(Event, event.id)
        if row is not None and row.state == EventState.WORKING and row.worker == event.worker:
            row.state, row.reason, row.not_before = EventState.WAITING, reason, now() + wait
            row.published, row.tries = None, event.tries


def _finish(database: Database, event: Event, run_id: str, reason: str | None) -> None:
    with database.write() as session:
        row = session.get(Event, event.id)
        if row is None:
            return  # it went with its project
        row.state, row.run_id, row.revision = EventState.DONE, run_id, event.revision
        row.finished = now()
        session.flush()
        supersede(session, row)
        newest = newer_than(session, row)
        row.reason = reason or (why_superseded(newest) if newest is not None else None)
