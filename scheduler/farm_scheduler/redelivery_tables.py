"""The tables of redelivery: of which projects GitHub is asked for what did not arrive, and what it was asked for.

Called by redelivery. A token is sealed like every secret; nothing is asked from here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column
from sqlmodel import Field, SQLModel

from farm_scheduler.tables import Moment, now


def _moment(*, nullable: bool = False) -> Column[Any]:
    return Column(Moment(), nullable=nullable)


class Relook(SQLModel, table=True):
    """A project whose deliveries at GitHub are looked through for failed ones.

    `app_id` is the App whose deliveries they are, with its sealed private key; None for the repository's own hook, with
    a sealed token. `note` is what went wrong at the last look.
    """

    __tablename__ = "relook"

    project_id: str = Field(primary_key=True, foreign_key="project.id")
    app_id: str | None = None
    sealed: str
    note: str | None = None
    looked: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    next_look: datetime = Field(default_factory=now, sa_column=_moment())


class Redelivery(SQLModel, table=True):
    """A failed delivery that GitHub was asked for again: `guid` is the id that the doors know it by.

    Projects of one App see the same deliveries, and `project_id` is the one that asked first. `delivered` is when
    GitHub first tried, in the order of what the farm was told, `asked` when it was asked for last, `tries` how often.
    `reason` is what GitHub said, where it did not agree.
    """

    __tablename__ = "redelivery"

    guid: str = Field(primary_key=True, max_length=200)
    project_id: str = Field(foreign_key="project.id")
    kind: str = ""
    tries: int = 0
    reason: str | None = None
    delivered: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    asked: datetime = Field(default_factory=now, sa_column=_moment())
