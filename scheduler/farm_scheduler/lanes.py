"""Lanes: the waiting jobs of one share for one system, and whose turn it is among them.

Called inside the write transactions of runs, reruns, claims and dependents whenever jobs begin or cease to wait. A lane
only says where to look: correctness never depends on it. It never picks a job.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Connection, Float, bindparam, delete, exists, select, update
from sqlmodel import Session, col

from farm_scheduler.insertion import insert_new
from farm_scheduler.shares import UNSYNCHRONIZED, open_share, share_key
from farm_scheduler.states import JobState
from farm_scheduler.tables import Job, Lane, Run, Share
from farm_scheduler.urgency import urgency

FIRST_JOB = (
    select(col(Job.head_start), col(Job.rank))
    .where(col(Job.state) == JobState.QUEUED)
    .where(col(Job.share) == bindparam("of_share"), col(Job.system) == bindparam("of_system"))
    .order_by(col(Job.rank).desc(), col(Job.expected_seconds).desc(), col(Job.id).desc())
    .limit(1)
)
HERE = (col(Lane.share) == bindparam("of_share"), col(Lane.system) == bindparam("of_system"))
REMOVE_LANE = delete(Lane).where(*HERE)
TAG = select(col(Share.tag)).where(col(Share.key) == bindparam("of_share")).scalar_subquery()
SET_LANE = update(Lane).where(*HERE).values(turn=bindparam("head", type_=Float()) - TAG)


def place(session: Session, run: Run, job: Job, system: str) -> None:
    """Give a job its place in the queue; it enters with `enqueue`."""
    ahead = urgency(run.trigger, run.priority)
    job.share, job.system, job.head_start = share_key(session, run), system, ahead.share
    job.rank = ahead.age - (run.reopened or run.created).timestamp()


def enqueue(session: Session, jobs: Sequence[Job]) -> None:
    """Have jobs found that are `queued` from now on; they were placed before."""
    session.flush()
    open_lanes(session, {(job.share, job.system) for job in jobs})


def open_lanes(session: Session, places: Collection[tuple[str, str]]) -> None:
    """Have the queued jobs of these shares and systems found."""
    for key, system in sorted(places):
        open_share(session, key)
        insert_new(session, Lane, share=key, system=system, head_start=0.0, rank=0.0, turn=0.0)
        refresh_lane(session.connection(), key, system)


def refresh_lanes(session: Session, keys: Iterable[str]) -> None:
    """Look again at the lanes of these shares, after jobs have left the queue."""
    session.flush()
    chosen = select(col(Lane.share), col(Lane.system)).where(col(Lane.share).in_(sorted(set(keys))))
    for key, system in session.execute(chosen).all():
        refresh_lane(session.connection(), key, system)


def refresh_lane(connection: Connection, key: str, system: str) -> None:
    """Set the turn of a lane by its first job, whether or not that may begin now; a lane without jobs goes."""
    here = {"of_share": key, "of_system": system}
    first = connection.execute(FIRST_JOB, here).first()
    if first is None:
        connection.execute(REMOVE_LANE, here)
    else:
        facts = {"head": first.head_start, "head_start": first.head_start, "rank": first.rank}
        connection.execute(SET_LANE, {**here, **facts})


def sweep_lanes(session: Session, *, missing: bool = False) -> None:
    """Remove the lanes whose jobs have gone; with `missing` also make those that jobs lack, which takes longer."""
    queued = exists().where(
        col(Job.state) == JobState.QUEUED, col(Job.share) == Lane.share, col(Job.system) == Lane.system
    )
    session.execute(delete(Lane).where(~queued), execution_options=UNSYNCHRONIZED)
    if missing:
        chosen = select(col(Job.share), col(Job.system)).where(
            col(Job.state) == JobState.QUEUED, col(Job.share) != ""
        )
        there = {(row[0], row[1]) for row in session.execute(select(col(Lane.share), col(Lane.system)))}
        open_lanes(session, {(row[0], row[1]) for row in session.execute(chosen.distinct())} - there)
