"""The lives of workers: each says every few seconds that it lives, and of whom nothing is heard what it had is free.

Called by workers (`say_alive`), the sweep (`silent_workers`) and the queue (`is_any_alive`). So that a worker of
another host, whose process nobody here can see, is missed as soon as its attempts' leases end, whatever it was at. It
ends nothing itself.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Column, delete, update
from sqlmodel import Field, Session, SQLModel, col, select

from farm_scheduler.database import Database
from farm_scheduler.insertion import insert_new
from farm_scheduler.tables import Moment, now

FORGOTTEN = timedelta(days=1)
"""After this a worker that is gone is not remembered."""


class WorkerLife(SQLModel, table=True):
    """A worker, and when it last said that it lives."""

    __tablename__ = "worker_life"

    name: str = Field(primary_key=True)
    seen: datetime = Field(sa_column=Column(Moment(), nullable=False))


def say_alive(database: Database, worker: str) -> None:
    """Say that a worker lives."""
    moment = now()
    with database.write_together() as session:
        session.execute(delete(WorkerLife).where(col(WorkerLife.seen) < moment - FORGOTTEN))
        insert_new(session, WorkerLife, name=worker, seen=moment)
        session.execute(update(WorkerLife).where(col(WorkerLife.name) == worker).values(seen=moment))


def silent_workers(session: Session, names: Collection[str], lease_seconds: float) -> set[str]:
    """Those of `names` that have not said that they live for as long as a lease."""
    last = now() - timedelta(seconds=lease_seconds)
    chosen = select(WorkerLife.name).where(
        col(WorkerLife.name).in_(sorted(names)), col(WorkerLife.seen) < last
    )
    return set(session.exec(chosen))


def is_any_alive(session: Session, lease_seconds: float) -> bool:
    """Whether any worker has said so within a lease."""
    chosen = select(WorkerLife.name).where(col(WorkerLife.seen) >= now() - timedelta(seconds=lease_seconds))
    return session.exec(chosen.limit(1)).first() is not None
