"""The tables of feedback: where a project wants to hear of its runs, what was told already, and what was made there.

Called by feedback and the command. A token is sealed like every secret; nothing is sent from here.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from farm_scheduler.identifiers import new_id
from farm_scheduler.tables import Moment, Word, now


class Channel(StrEnum):
    """A way to tell somebody."""

    STATUS = "status"
    """A status of the commit, at the project's forge."""

    CHECKS = "checks"
    """A check run of GitHub, with failing tests as annotations; in a status's place."""

    COMMENT = "comment"
    """A comment on the pull request, which is kept up."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class ReportState(StrEnum):
    """Where a report stands."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


def _moment(*, nullable: bool = True) -> Column[Any]:
    return Column(Moment(), nullable=nullable)


class Listener(SQLModel, table=True):
    """Who is told of a project's runs: `place` is a URL or an address, of checks the App's id, else None (its forge).

    `sealed` is the token of the forge, the App's private key, or the secret that a webhook is signed with.
    """

    __tablename__ = "listener"

    project_id: str = Field(primary_key=True, foreign_key="project.id")
    channel: Channel = Field(sa_column=Column(Word(Channel), primary_key=True))
    place: str | None = None
    sealed: str | None = None
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))


class Report(SQLModel, table=True):
    """One thing that one listener is told of one run, once: that it began, or how it ended.

    `run_finished` is the end that it tells of (a run that is opened again ends twice), or None. `subject` is the pull
    request (`pull/7`) that a comment is on. `taken` is when somebody began to tell it; it stays where the answer was
    too slow. `reason` says why it was not told, or why there was nothing to tell.
    """

    __tablename__ = "report"
    __table_args__ = (
        UniqueConstraint("run_id", "channel", "subject", "stage", "run_finished", name="uq_report"),
        Index("ix_report_state", "state", "not_before"),
    )

    id: str = Field(default_factory=lambda: new_id("t"), primary_key=True)
    run_id: str = Field(foreign_key="run.id")
    channel: Channel = Field(sa_column=Column(Word(Channel), nullable=False))
    stage: str
    subject: str = ""
    run_finished: datetime | None = Field(default=None, sa_column=_moment())
    state: ReportState = Field(
        default=ReportState.WAITING, sa_column=Column(Word(ReportState), nullable=False)
    )
    reason: str | None = None
    tries: int = 0
    not_before: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    taken: datetime | None = Field(default=None, sa_column=_moment())
    finished: datetime | None = Field(default=None, sa_column=_moment())


class Post(SQLModel, table=True):
    """What the farm made at a forge, so that it is changed there instead of made again.

    `subject` is the run of a check run, or the pull request of a comment; `remote_id` the forge's name for it, None
    until that is known. `mark` stands in a comment from the beginning: by it one is found whose making was never
    answered.
    """

    __tablename__ = "post"

    project_id: str = Field(primary_key=True, foreign_key="project.id")
    channel: Channel = Field(sa_column=Column(Word(Channel), primary_key=True))
    subject: str = Field(primary_key=True)
    remote_id: str | None = None
    mark: str = Field(default_factory=lambda: new_id("c"))
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
