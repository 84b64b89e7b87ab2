"""The tables of the watcher: what is followed on the package index, and how far it has been read.

Called by release_watch. What was seen stays here, so that whatever came while the farm was down is new when it looks
again; nothing is decided here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column
from sqlmodel import Field, SQLModel

from farm_scheduler.tables import Moment, now


def _moment(*, nullable: bool = False) -> Column[Any]:
    return Column(Moment(), nullable=nullable)


class Watch(SQLModel, table=True):
    """A project whose releases are followed, by its page of the index.

    `versions` are those that had an sdist when it was last looked at; None before the first look. The first look that
    finds any takes what was there before `followed` as known, and all but the newest where the index tells no times.
    `serial` is the index's count of the page, so that it is told when a mirror is behind. `note` is what went wrong at
    the last look, and what was taken for history.
    """

    __tablename__ = "watch"

    project_id: str = Field(primary_key=True, foreign_key="project.id")
    versions: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    etag: str | None = None
    serial: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True))
    note: str | None = None
    looked: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    next_look: datetime = Field(default_factory=now, sa_column=_moment())
    followed: datetime = Field(default_factory=now, sa_column=_moment())


class WatchPattern(SQLModel, table=True):
    """Names that are followed without being named one by one: a pattern with `*` and `?`, by the index's changelog."""

    __tablename__ = "watch_pattern"

    pattern: str = Field(primary_key=True)
    created: datetime = Field(default_factory=now, sa_column=_moment())


class Changelog(SQLModel, table=True):
    """How far the changelog of an index has been read.

    `note` is what went wrong at the last look. Where it says that the index is behind, the next look goes back.
    """

    __tablename__ = "changelog"

    url: str = Field(primary_key=True)
    serial: int = Field(sa_column=Column(BigInteger, nullable=False))
    note: str | None = None
    next_look: datetime = Field(default_factory=now, sa_column=_moment())
