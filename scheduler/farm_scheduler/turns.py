"""Turns: which job is next.

Called by claims inside its write transaction. The lanes tell whose turn it is; the first that has a job that may begin
now gives it. On PostgreSQL the job and its share are locked, and what others have locked is passed
over. It changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from farm_scheduler.states import JOB_AT_WORK, ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Lane, Project, Run, Share

LANES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The job that is next, with its rows (locked).

    Attributes:
        attempts: how many it had so far.
        farm: where the farm is, as a tag.
    """

    job: Job
    cell: Cell
    run: Run
    share: str
    tag: float
    weight: float
    attempts: int
    farm: float


def next_turn(session: Session, moment: datetime, *, patient: bool) -> Turn | None:
    """The job whose turn it is at this moment; None when none may begin now.

    With `patient` it waits for rows that other claims have locked; else it takes the next best one.
    """
    place = 0
    while True:
        rows = session.execute(_candidates(moment).limit(LANES_AT_ONCE).offset(place)).all()
        for job_id in _in_order(session, rows):
            turn = _take(session, job_id, patient=patient)
            if turn is not None:
                return turn
        if len(rows) < LANES_AT_ONCE:
            return None
        place += LANES_AT_ONCE


def at_work(key: str) -> ColumnElement[int]:
    """How many jobs of a share (a column, or a key) are at work, as an expression."""
    job = aliased(Job)
    return (
        select(func.count())
        .where(col(job.state).in_(sorted(JOB_AT_WORK)), col(job.share) == key)
        .scalar_subquery()
    )


def _candidates(moment: datetime) -> Select[tuple[float, str | None]]:
    """(turn, id of the best job that may begin now) of the lanes, in the order of their turns."""
    best = (
        select(col(Job.id))
        .where(
            col(Job.state) == JobState.QUEUED, col(Job.share) == Lane.share, col(Job.system) == Lane.system
        )
        .where(or_(col(Job.not_before).is_(None), col(Job.not_before) <= moment))
        .order_by(col(Job.rank).desc(), col(Job.expected_seconds).desc(), col(Job.id).desc())
        .limit(1)
        .correlate(Lane)
        .scalar_subquery()
    )
    ready = select(col(Image.name)).where(col(Image.state) == ImageState.READY)
    return (
        select(col(Lane.turn), best.label("best"))
        .join(Share, col(Share.key) == col(Lane.share))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Lane.system).in_(ready), _open(Lane.share))
        .order_by(col(Lane.turn).desc(), col(Lane.rank).desc())
    )


def _open(share: str) -> ColumnElement[bool]:
    """Whether a share may have one more job at work."""
    below = or_(col(Project.quota).is_(None), at_work(share) < col(Project.quota))
    return or_(col(Project.id).is_(None), and_(~col(Project.paused), below))


def _in_order(session: Session, rows: Sequence[Row[tuple[float, str | None]]]) -> list[str]:
    """The candidates in the order of their turns; at the same turn the oldest run, in it the longest job first."""
    turns = {row.best: row.turn for row in rows if row.best is not None}
    if len(turns) < 2:
        return list(turns)
    chosen = select(col(Job.id), col(Job.rank), col(Job.expected_seconds)).where(col(Job.id).in_(turns))
    found = session.execute(chosen).all()
    ordered = sorted(found, key=lambda row: (turns[row[0]], row[1], row[2], row[0]), reverse=True)
    return [row[0] for row in ordered]


def _take(session: Session, job_id: str, *, patient: bool) -> Turn | None:
    attempts = select(func.count()).where(col(Attempt.job_id) == job_id).scalar_subquery()
    farm = select(func.max(col(Share.served))).correlate(None).scalar_subquery()
    row = session.execute(
        select(Job, Cell, Run, Share, func.coalesce(col(Project.weight), 1.0), attempts, farm)
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .join(Run, col(Run.id) == col(Job.run_id))
        .join(Share, col(Share.key) == col(Job.share))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Job.id) == job_id, col(Job.state) == JobState.QUEUED)
        .where(col(Run.state).in_([RunState.QUEUED, RunState.RUNNING]))
        .with_for_update(of=[Job, Share], skip_locked=not patient)
    ).first()
    if row is None:
        return None
    job, cell, run, share, weight, tried, farm_tag = row
    if not _still_open(session, share.key):
        return None
    return Turn(
        job=job,
        cell=cell,
        run=run,
        share=share.key,
        tag=share.tag,
        weight=weight,
        attempts=tried,
        farm=farm_tag or 0.0,
    )


def _still_open(session: Session, key: str) -> bool:
    """The quota once more, now that the share is locked: on SQLite nothing can have changed."""
    if session.connection().dialect.name == "sqlite":
        return True
    chosen = (
        select(col(Share.key))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Share.key) == key, _open(Share.key))
    )
    return session.execute(chosen).first() is not None
