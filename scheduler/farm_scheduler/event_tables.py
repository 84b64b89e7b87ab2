"""The tables of the doors: deliveries of forges, the events in them, and the secrets that prove where they come from.

Called by events, project_secrets and the doors. They hold what came in and what became of it; a secret is sealed
(secret_box), never readable in the record.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Index
from sqlmodel import Field, SQLModel

from farm_scheduler.identifiers import new_id
from farm_scheduler.tables import Moment, Word, now
from farm_scheduler.triggers import Trigger


class EventState(StrEnum):
    """Where an event stands."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


def _moment(*, nullable: bool = True) -> Column[Any]:
    return Column(Moment(), nullable=nullable)


class Delivery(SQLModel, table=True):
    """One message of a forge, recorded once.

    `delivery_id` is the forge's own name for it, behind its project's id where another's may have the same. `kind` is
    the forge's word for what happened; `reason` says why nothing came of it, where nothing did. `digest` is the SHA-256
    of its body, where that is all that its signature proves.
    """

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_digest", "project_id", "digest"),)

    forge: str = Field(primary_key=True, max_length=32)
    delivery_id: str = Field(primary_key=True, max_length=200)
    project_id: str = Field(foreign_key="project.id", index=True)
    kind: str = ""
    reason: str | None = None
    digest: str | None = Field(default=None, max_length=64)
    received: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))


class Event(SQLModel, table=True):
    """Something that wants a run: recorded with its delivery, turned into a run by a worker, at most one ever.

    `target` is what would be run, `git+URL` without its ref or `NAME==VERSION`. `run_id` is the id that its run has or
    will have. `work` names what it asks for; of two events with the same the first has the run, and both lead to it.
    `again` asks for a run even where there is one. `told` orders the events of a ref: when the forge told of it first,
    but later than all that was told before, whatever the clock says. `published` is when its message was last sent.
    `reason` says what went wrong, or why there was nothing to do.
    """

    __tablename__ = "event"
    __table_args__ = (
        ForeignKeyConstraint(["forge", "delivery_id"], ["delivery.forge", "delivery.delivery_id"]),
        Index("ix_event_state", "state", "not_before"),
        Index("ix_event_delivery", "forge", "delivery_id"),
        Index("ix_event_run", "run_id"),
        Index("ix_event_ref", "project_id", "trigger", "ref", "told"),
    )

    id: str = Field(default_factory=lambda: new_id("e"), primary_key=True)
    project_id: str = Field(foreign_key="project.id", index=True)
    forge: str | None = None
    delivery_id: str | None = None
    trigger: Trigger = Field(sa_column=Column(Word(Trigger), nullable=False))
    target: str
    ref: str | None = None
    revision: str | None = None
    again: bool = False
    state: EventState = Field(default=EventState.WAITING, sa_column=Column(Word(EventState), nullable=False))
    reason: str | None = None
    run_id: str = Field(default_factory=lambda: new_id("r"))
    work: str | None = Field(default=None, unique=True)
    tries: int = 0
    worker: str = ""
    lease_expires: datetime | None = Field(default=None, sa_column=_moment())
    not_before: datetime | None = Field(default=None, sa_column=_moment())
    published: datetime | None = Field(default=None, sa_column=_moment())
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    told: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    finished: datetime | None = Field(default=None, sa_column=_moment())


class ProjectSecret(SQLModel, table=True):
    """A secret that a forge signs with; at most two of a project are valid at once, so that one can be changed."""

    __tablename__ = "project_secret"

    id: str = Field(default_factory=lambda: new_id("s"), primary_key=True)
    project_id: str = Field(foreign_key="project.id", index=True)
    sealed: str
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
