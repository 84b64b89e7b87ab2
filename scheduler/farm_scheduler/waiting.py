"""Why a job waits, and for how long still.

Called by the command and the pages. One reason a job, the one that holds it back now; the time is an estimate, or
None where nobody can tell. It reads the record and never writes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlmodel import Session, col

from farm_scheduler.forecast import Start, forecast
from farm_scheduler.project_names import of_project, within_reach
from farm_scheduler.settings import Settings
from farm_scheduler.states import JOB_AT_WORK, JOB_WAITS, ImageState, JobState
from farm_scheduler.tables import Cell, Image, Job, Project, Run, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.worker_lives import is_any_alive

FARTHEST = 500
"""So many begins are foreseen; what comes later is later."""


class Wait(StrEnum):
    """What a job waits for."""

    MACHINE = "machine"
    """Its turn, and a free slot for a machine."""

    IMAGE = "image"
    PARENT = "parent"
    QUOTA = "quota"
    PAUSED = "paused"
    RETRY = "retry"
    """The time before which it is not tried again."""


Reason = tuple[Wait, str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job that waits.

    Attributes:
        wait: what holds it back.
        sentence: the same for a person.
        seconds: until it begins, about; None when nobody can tell.
        trigger: what asked for its run.
        priority: that of its run; the higher goes first.
        expected_seconds: how long it is likely to take.
    """

    job_id: str
    run_id: str
    project: str
    label: str
    system: str
    trigger: Trigger
    priority: int
    created: datetime
    wait: Wait
    sentence: str
    seconds: float | None
    expected_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The queue at this moment.

    Attributes:
        machines: how many may be at work at a time.
        at_work: jobs that have one.
        waiting: all jobs that wait.
        jobs: the first of them, in the order in which they are likely to begin, then those that cannot.
    """

    machines: int
    at_work: int
    waiting: int
    jobs: tuple[WaitingJob, ...]


def read_queue(
    session: Session, settings: Settings, *, most: int, project: str | None = None, scope: str | None = None
) -> Queue:
    """The queue of a farm with these settings: `most` jobs of it, of one project by name or of all.

    `scope` is the one project whose jobs may be told.
    """
    at_work = _at_work(session)
    waiting = select(func.count()).where(col(Job.state).in_(sorted(JOB_WAITS)))
    narrowed = [of_project(project)] if project is not None else []
    narrowed += [within_reach(scope)] if scope is not None else []
    if narrowed:
        waiting = waiting.where(col(Job.run_id).in_(select(col(Run.id)).where(*narrowed)))
    machines = max(settings.slots, at_work)
    starts = _starts(session, machines, FARTHEST if narrowed else most)
    rows = _rows().where(*narrowed)
    chosen = [*_first(session, rows, list(starts))]
    others = rows.where(col(Job.id).not_in(starts)).order_by(col(Job.created), col(Job.id))
    chosen = [*chosen, *session.execute(others.limit(max(0, most - len(chosen)))).all()][:most]
    return Queue(
        machines=machines,
        at_work=at_work,
        waiting=session.scalar(waiting) or 0,
        jobs=tuple(_describe(session, settings, starts, chosen)),
    )


def wait_of(session: Session, settings: Settings, job_id: str) -> WaitingJob | None:
    """Why this job waits; None when it does not."""
    rows = session.execute(_rows().where(col(Job.id) == job_id)).all()
    if not rows:
        return None
    starts = _starts(session, max(settings.slots, _at_work(session)), FARTHEST)
    return _describe(session, settings, starts, rows)[0]


def _at_work(session: Session) -> int:
    return session.scalar(select(func.count()).where(col(Job.state).in_(sorted(JOB_AT_WORK)))) or 0


def _starts(session: Session, machines: int, most: int) -> dict[str, Start]:
    return {each.job_id: each for each in islice(forecast(session, machines=machines), most)}


def _first(session: Session, rows: Select[*tuple[Any, ...]], order: Sequence[str]) -> list[Row[Any]]:
    places = {job_id: place for place, job_id in enumerate(order)}
    found = session.execute(rows.where(col(Job.id).in_(order))).all()
    return sorted(found, key=lambda row: places[row[0].id])


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(Job, Cell, Run, Project, Image)
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .join(Run, col(Run.id) == col(Job.run_id))
        .outerjoin(Project, col(Project.id) == col(Run.project_id))
        .outerjoin(Image, col(Image.name) == col(Job.system))
        .where(col(Job.state).in_(sorted(JOB_WAITS)))
    )


def _describe(
    session: Session, settings: Settings, starts: dict[str, Start], rows: Sequence[Row[Any]]
) -> list[WaitingJob]:
    full, alive = _at_quota(session), is_any_alive(session, settings.lease_seconds)
    parents = _parents(session, [row[0].parent_id for row in rows if row[0].parent_id])
    found = []
    for job, cell, run, project, image in (tuple(row) for row in rows):
        start = starts.get(job.id)
        wait, sentence, seconds = (
            _held_back(job, project, image, parents, starts)
            or _later(job, start)
            or _queued(start, project, full, alive=alive)
        )
        found.append(
            WaitingJob(
                job_id=job.id,
                run_id=run.id,
                project=run.project,
                label=cell.label,
                system=cell.system,
                trigger=run.trigger,
                priority=run.priority,
                created=run.reopened or run.created,
                wait=wait,
                sentence=sentence,
                seconds=seconds,
                expected_seconds=job.expected_seconds,
            )
        )
    return found


def _held_back(
    job: Job,
    project: Project | None,
    image: Image | None,
    parents: dict[str, tuple[Job, str]],
    starts: dict[str, Start],
) -> Reason | None:
    """What holds a job back whatever machines are free."""
    if job.state == JobState.HELD and job.parent_id is not None:
        parent, label = parents[job.parent_id]
        there = starts.get(parent.id)
        seconds = there.end if there is not None else parent.left_seconds
        return Wait.PARENT, f"{label} ({parent.id}) is {parent.state.value}", seconds
    if project is not None and project.paused:
        return Wait.PAUSED, f"the project {project.name} is paused", None
    if project is not None and project.quota == 0:
        return Wait.QUOTA, f"the quota of {project.name} is 0, so none of its jobs begins", None
    if image is None or image.state != ImageState.READY:
        state = image.state.value if image is not None else ImageState.MISSING.value
        seconds = image.left_seconds if image is not None else None
        return Wait.IMAGE, f"{job.system} is {state}", seconds
    return None


def _later(job: Job, start: Start | None) -> Reason | None:
    """A try that waits after the farm's fault."""
    left = (job.not_before - now()).total_seconds() if job.not_before is not None else 0.0
    if left <= 0:
        return None
    seconds = max(left, start.seconds) if start is not None else None
    return Wait.RETRY, "its next try comes later, after the farm's own fault", seconds


def _queued(start: Start | None, project: Project | None, full: frozenset[str], *, alive: bool) -> Reason:
    if not alive:
        return Wait.MACHINE, "no worker is at work; wheelfarm up starts one, on the farm's host", None
    seconds = start.seconds if start is not None else None
    if project is not None and project.id in full:
        return Wait.QUOTA, f"{project.name} has {project.quota} at work, which is its quota", seconds
    if seconds == 0:
        return Wait.MACHINE, "one is free, it begins now", 0.0
    return Wait.MACHINE, "none is free yet", seconds


def _at_quota(session: Session) -> frozenset[str]:
    """The projects that have as many jobs at work as they may."""
    rows = session.execute(
        select(col(Project.id))
        .join(Job, col(Job.share) == col(Project.id))
        .where(col(Project.quota).is_not(None), col(Job.state).in_(sorted(JOB_AT_WORK)))
        .group_by(col(Project.id), col(Project.quota))
        .having(func.count() >= col(Project.quota))
    )
    return frozenset(row[0] for row in rows)


def _parents(session: Session, ids: Sequence[str]) -> dict[str, tuple[Job, str]]:
    rows = session.execute(
        select(Job, col(Cell.label)).join(Cell, col(Cell.id) == col(Job.cell_id)).where(col(Job.id).in_(ids))
    )
    return {job.id: (job, label) for job, label in rows}
