"""Shares: how the farm is divided between projects.

Called by lanes and claims inside their write transactions. Each share has a tag, the seconds of work that it was given
by its weight; the lowest goes first, and who was away comes back at the place of those who go now, without a claim on
what it missed (start-time fair queueing). It never picks a job.
"""

from sqlalchemy import Connection, Float, bindparam, func, select, update
from sqlmodel import Session, col

from farm_scheduler.access_tables import Submission
from farm_scheduler.insertion import insert_new
from farm_scheduler.tables import Attempt, Job, Lane, Project, Run, Share

CREDIT_SECONDS = 3600.0
"""How far a share that could not be served (paused, at its quota, without an image) may stay behind the others."""

LONGEST_WORK_SECONDS = 86400.0
"""More than a day of work is no work but a clock that was set."""

NAME = "name:"

MOVE_SHARE = update(Share).where(col(Share.key) == bindparam("moved"))
MOVE_LANES = (
    update(Lane)
    .where(col(Lane.share) == bindparam("moved"))
    .values(turn=col(Lane.head_start) - bindparam("to", type_=Float()))
)

UNSYNCHRONIZED = {"synchronize_session": False}
"""Nobody holds shares or lanes as objects: there is nothing to keep in step."""


def share_key(session: Session, run: Run) -> str:
    """The share that a run counts for: its project, else who asked for it over the API, else the name of what it tests.

    Who asks cannot have more shares by giving what is tested more names.
    """
    if run.project_id is not None:
        return run.project_id
    wish = session.get(Submission, run.id)
    return NAME + (run.project if wish is None else f"@{wish.actor}")


def charge(tag: float, farm: float, seconds: float, weight: float) -> tuple[float, float]:
    """(start, next tag) of a share that is given `seconds` of work at its weight, on a farm that is at `farm`."""
    start = max(tag, farm - CREDIT_SECONDS)
    return start, start + seconds / weight


def farm_tag(session: Session) -> float:
    """Where the farm is now: the highest tag at which a job was begun."""
    return float(session.scalar(select(func.max(col(Share.served)))) or 0.0)


def open_share(session: Session, key: str) -> None:
    """Make a share that is not there; one that waits for nothing goes on from where the farm is now."""
    farm = farm_tag(session)
    project = None if key.startswith(NAME) else key
    insert_new(session, Share, key=key, project_id=project, tag=farm, served=0.0)
    waits = select(col(Lane.share)).where(col(Lane.share) == key).exists()
    session.execute(
        update(Share).where(col(Share.key) == key, col(Share.tag) < farm, ~waits).values(tag=farm),
        execution_options=UNSYNCHRONIZED,
    )


def set_tag(connection: Connection, key: str, tag: float, served: float | None = None) -> None:
    """Move a share, and with it the turns of its lanes."""
    values = {"tag": tag} if served is None else {"tag": tag, "served": served}
    connection.execute(MOVE_SHARE, {"moved": key, **values})
    connection.execute(MOVE_LANES, {"moved": key, "to": tag})


def settle_work(session: Session, job: Job, attempt: Attempt) -> None:
    """Correct what a share was charged for an attempt that has ended: that was the expected time."""
    if attempt.finished is None:
        return
    worked = (attempt.finished - attempt.leased).total_seconds()
    worked = max(0.0, min(LONGEST_WORK_SECONDS, worked))
    row = session.execute(
        select(col(Share.tag), func.coalesce(col(Project.weight), 1.0))
        .outerjoin(Project, col(Project.id) == col(Share.project_id))
        .where(col(Share.key) == job.share)
    ).first()
    if row is not None:
        set_tag(session.connection(), job.share, row[0] + (worked - job.expected_seconds) / row[1])
