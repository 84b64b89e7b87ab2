"""Turns: which job is next.

Called by claims inside its write transaction. The lanes tell whose turn it is; the first that has a job that may begin
now gives it. Each statement is built once: that took longer than running it. It changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import aliased
from sqlmodel import col

from farm_scheduler.host_kinds import EVERY_SYSTEM, Served
from farm_scheduler.states import JOB_AT_WORK, ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Lane, Moment, Project, Run, Share

LANES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The job that is next.

    Attributes:
        row: `job_id`, `started`, `expected_seconds`, `run_id`, `run_state`, `source_sha256`, and of the cell `system`,
            `environments`, `tool`, `variables`, `inferred_config`, `seconds`, `packages`, `installer`, `constraints`
            and `cutoff`.
        share: the key of its share, which has this `tag` and `weight`.
        attempts: how many the job had so far.
        farm: where the farm is, as a tag.
    """

    row: Row[Any]
    share: str
    tag: float
    weight: float
    attempts: int
    farm: float


def next_turn(connection: Connection, moment: datetime, *, served: Served = EVERY_SYSTEM) -> Turn | None:
    """The job whose turn it is at this moment, of the systems that a host serves; None when none may begin now."""
    place = 0
    while True:
        rows = connection.execute(candidates(place, served), {"moment": moment}).all()
        for row in rows:
            turn = _take(connection, row.id) if row.id is not None else None
            if turn is not None:
                return turn
        if len(rows) < LANES_AT_ONCE:
            return None
        place += LANES_AT_ONCE


@lru_cache(maxsize=128)
def candidates(place: int, served: Served = EVERY_SYSTEM) -> Select[Any]:
    """The best job that may begin now of each lane, a few lanes from `place` on, in the order of their turns.

    At the same turn the oldest run goes first, and in a run the longest job. `id` is None for a lane without one.
    """
    lanes = _lanes(place, served).subquery()
    job = aliased(Job)
    order = (lanes.c.turn, col(job.rank), col(job.expected_seconds), col(job.id))
    return (
        select(lanes.c.turn, col(job.id))
        .outerjoin_from(lanes, job, col(job.id) == lanes.c.best)
        .order_by(*(each.desc() for each in order))
    )


def _lanes(place: int, served: Served) -> Select[Any]:
    best = (
        select(col(Job.id))
        .where(
            col(Job.state) == JobState.QUEUED, col(Job.share) == Lane.share, col(Job.system) == Lane.system
        )
        .where(or_(col(Job.not_before).is_(None), col(Job.not_before) <= bindparam("moment", type_=Moment())))
        .order_by(col(Job.rank).desc(), col(Job.expected_seconds).desc(), col(Job.id).desc())
        .limit(1)
        .correlate(Lane)
        .scalar_subquery()
    )
    return (
        select(col(Lane.turn), best.label("best"))
        .where(_has_image(), _open(Lane.share), *_is_served(served))
        .order_by(col(Lane.turn).desc(), col(Lane.rank).desc())
        # Numbers in the text, not values beside it: PostgreSQL plans for the first few rows only if it knows.
        .limit(literal_column(str(LANES_AT_ONCE)))
        .offset(literal_column(str(place)))
    )


def _has_image() -> ColumnElement[bool]:
    """Whether the image of a lane is ready. A scalar, like all here: joins would be made for all lanes first."""
    state = select(col(Image.state)).where(col(Image.name) == Lane.system).scalar_subquery()
    return state == ImageState.READY


def _is_served(served: Served) -> list[ColumnElement[bool]]:
    """The lanes of a host's own systems; no condition where it serves every one."""
    if served == EVERY_SYSTEM:
        return []
    system = col(Lane.system)
    return [system.not_in(served.names) if served.others else system.in_(served.names)]


def _open(share: str) -> ColumnElement[bool]:
    """Whether a share (a column of its keys) may have one more job at work; that of no project always may."""
    job = aliased(Job)
    at_work = (
        select(func.count())
        .where(col(job.state).in_(sorted(JOB_AT_WORK)), col(job.share) == col(Project.id))
        .correlate(Project)
        .scalar_subquery()
    )
    below = or_(col(Project.quota).is_(None), at_work < col(Project.quota))
    project = select(and_(~col(Project.paused), below)).where(col(Project.id) == share).scalar_subquery()
    return func.coalesce(project, true())


def _take(connection: Connection, job_id: str) -> Turn | None:
    row = connection.execute(_whole(), {"job": job_id}).first()
    if row is None:
        return None
    return Turn(
        row=row,
        share=row.share,
        tag=row.tag,
        weight=row.weight,
        attempts=row.attempts,
        farm=row.farm or 0.0,
    )


@cache
def _whole() -> Select[Any]:
    """One job that still waits, with all that a claim of it needs."""
    attempts = (
        select(func.count()).where(col(Attempt.job_id) == bindparam("job")).correlate(None).scalar_subquery()
    )
    farm = select(func.max(col(Share.served))).correlate(None).scalar_subquery()
    cell = (Cell.environments, Cell.tool, Cell.variables, Cell.inferred_config, Cell.seconds, Cell.packages)
    decided = (Cell.installer, Cell.constraints, Cell.cutoff)
    return (
        select(col(Job.id).label("job_id"), col(Job.started), col(Job.expected_seconds), col(Job.system))
        .add_columns(col(Run.id).label("run_id"), col(Run.state).label("run_state"), col(Run.source_sha256))
        .add_columns(*(col(each) for each in (*cell, *decided)))
        .add_columns(col(Share.key).label("share"), col(Share.tag))
        .add_columns(func.coalesce(col(Project.weight), 1.0).label("weight"))
        .add_columns(attempts.label("attempts"), farm.label("farm"))
        .select_from(Job)
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .join(Run, col(Run.id) == col(Job.run_id))
        .join(Share, col(Share.key) == col(Job.share))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Job.id) == bindparam("job"), col(Job.state) == JobState.QUEUED)
        .where(col(Run.state).in_([RunState.QUEUED, RunState.RUNNING]))
    )
