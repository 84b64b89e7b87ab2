"""The sweep: puts right what was lost, every few seconds and at the start of a worker.

Called by tasks. Lost tickets are issued again, jobs, questions and events of dead workers queued again, waiting
runs planned, missing images asked for. All of it may happen twice without harm; it never runs a job.
"""

import os
import socket
from collections.abc import Iterator

from celery import Celery
from sqlalchemy import or_
from sqlmodel import Session, col, select

from farm_scheduler import runs, submissions, uploads
from farm_scheduler.claims import expire_attempts
from farm_scheduler.clock_jumps import ClockWatch, forget_the_future
from farm_scheduler.database import Database
from farm_scheduler.engine import MOST_TICKETS, publish_bake, publish_event, publish_tickets, waiting_tickets
from farm_scheduler.events import due_events, expire_events, working_workers
from farm_scheduler.host_kinds import HostKinds
from farm_scheduler.lanes import sweep_lanes
from farm_scheduler.questions import asking_workers, expire_questions
from farm_scheduler.settings import Settings
from farm_scheduler.states import JOB_AT_WORK, ImageState, JobState
from farm_scheduler.tables import Attempt, Image, Job, Lane, Project, Share, now
from farm_scheduler.worker_lives import silent_workers
from farm_workers.image_bake import STALE


def worker_name() -> str:
    """What this process is called in the record: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def sweep(
    database: Database,
    app: Celery,
    settings: Settings,
    *,
    clock: ClockWatch | None = None,
    dead: frozenset[str] = frozenset(),
) -> None:
    """One round; `clock` tells whether the host's was set back since the last, `dead` names workers known to be.

    Raises:
        EngineError: Redis does not answer; the next round tries again.
    """
    if clock is not None and clock.was_set_back():
        forget_the_future(database, settings)
    dead |= _dead_workers(database, settings)
    expire_attempts(database, dead_workers=dead)
    expire_questions(database, dead_workers=dead)
    expire_events(database, dead_workers=dead)
    _forget_dead_bakes(database)
    with database.write() as session:
        sweep_lanes(session)
    uploads.drop_old(database, settings)
    submissions.publish_waiting(database, app, dead)
    for run_id in runs.waiting_runs(database):
        runs.advance(database, app, settings, run_id)
    kinds = settings.host_kinds
    for system in _wanted_images(database):
        publish_bake(app, system, kinds.kind_of(system))
    for event_id in due_events(database):
        publish_event(app, event_id)
    _send_tickets(database, app, kinds)


def first_sweep(database: Database, app: Celery, settings: Settings) -> None:
    """The round of a worker that starts: images and times that its forerunner left are looked at again.

    Raises:
        EngineError: Redis does not answer.
    """
    forget_the_future(database, settings)
    served = settings.host_kinds.served_by(settings.host_kind)
    looked_at: list[str] = []
    with database.write() as session:
        for image in session.exec(select(Image)):
            if not served.has(image.name):
                continue
            if image.state is ImageState.READY:
                looked_at.append(image.name)
            if image.state in {ImageState.BAKING, ImageState.READY}:
                image.state, image.updated = ImageState.MISSING, None
        sweep_lanes(session, missing=True)
    for system in looked_at:
        # The farm may have changed since. What nobody wants any more is not made, only looked at.
        publish_bake(app, system, settings.host_kind, look_only=True)
    # What has this worker's name before it began is of a forerunner with the same process id, as in a container.
    sweep(database, app, settings, dead=frozenset({worker_name()}))


def _dead_workers(database: Database, settings: Settings) -> frozenset[str]:
    """Other workers that have something at work, and no process on this host, or have long said nothing."""
    with database.read() as session:
        chosen = (
            select(Attempt.worker)
            .join(Job, col(Job.id) == col(Attempt.job_id))
            .where(col(Job.state).in_(list(JOB_AT_WORK)), col(Attempt.finished).is_(None))
            .distinct()
        )
        names = {*session.exec(chosen), *asking_workers(session), *working_workers(session)}
        names = (names | submissions.fetching_workers(session)) - {worker_name()}
        silent = silent_workers(session, names, settings.lease_seconds) if names else set()
    host = socket.gethostname()
    return frozenset(
        silent | {name for name in names if name.rpartition(":")[0] == host and not _alive(name)}
    )


def _alive(worker: str) -> bool:
    process = worker.rpartition(":")[2]
    if not process.isdigit():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _forget_dead_bakes(database: Database) -> None:
    with database.write() as session:
        for image in session.exec(select(Image).where(Image.state == ImageState.BAKING)):
            if image.updated is None or now() - image.updated > STALE:
                image.state = ImageState.MISSING


def _wanted_images(database: Database) -> list[str]:
    """Systems that queued jobs wait for and nobody bakes."""
    with database.read() as session:
        waited = select(Lane.system).distinct()
        chosen = select(Image.name).where(Image.state == ImageState.MISSING, col(Image.name).in_(waited))
        return list(session.exec(chosen))


def _send_tickets(database: Database, app: Celery, kinds: HostKinds) -> None:
    """To the hosts of each kind as many tickets as jobs could begin there, those that wait already counted."""
    with database.read() as session:
        waiting = {kind: _waiting_jobs(session, names) for kind, names in _waiting_systems(session, kinds)}
    wanted = {kind: max(0, count - waiting_tickets(app, kind)) for kind, count in waiting.items() if count}
    publish_tickets(app, wanted)


def _waiting_systems(session: Session, kinds: HostKinds) -> Iterator[tuple[str, list[str]]]:
    """Each kind of host, and those of its systems whose image is ready and that jobs wait for."""
    ready = select(Image.name).where(Image.state == ImageState.READY)
    chosen = select(Lane.system).where(col(Lane.system).in_(ready)).distinct()
    found: dict[str, list[str]] = {}
    for system in session.exec(chosen):
        found.setdefault(kinds.kind_of(system), []).append(system)
    yield from found.items()


def _waiting_jobs(session: Session, systems: list[str]) -> int:
    """How many jobs of these systems could begin now, as far as that is worth a ticket."""
    paused = select(Share.key).join(Project).where(col(Project.paused))
    chosen = (
        select(Job.id)
        .where(Job.state == JobState.QUEUED, col(Job.system).in_(systems), ~col(Job.share).in_(paused))
        .where(or_(col(Job.not_before).is_(None), col(Job.not_before) <= now()))
        .limit(MOST_TICKETS)
    )
    return len(session.exec(chosen).all())
