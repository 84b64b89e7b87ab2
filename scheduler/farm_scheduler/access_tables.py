"""The tables behind the API: tokens, the audit log, answers that are kept, uploads and submissions.

Called by the modules of the same names; the migrations follow these classes. A token's secret is in none of them.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Text
from sqlmodel import Field, SQLModel

from farm_scheduler.identifiers import new_id
from farm_scheduler.roles import Role
from farm_scheduler.tables import Moment, Word, now


class SubmissionState(StrEnum):
    """Where the wish for a run stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class UploadState(StrEnum):
    """Where an upload stands: `open` until all of it is there."""

    OPEN = "open"
    COMPLETE = "complete"


class ArchiveKind(StrEnum):
    """What an uploaded file is."""

    FOLDER = "folder"
    """A folder as tar.gz with one top folder, as the command packs it."""

    SDIST = "sdist"
    WHEEL = "wheel"


def _moment(*, nullable: bool) -> Column[Any]:
    return Column(Moment(), nullable=nullable)


def _word(words: type[StrEnum]) -> Column[Any]:
    return Column(Word(words), nullable=False)


class AccessToken(SQLModel, table=True):
    """A token of the API: the SHA-256 of its secret, and what it is good for.

    `project` is the normalized name of the one project that it reaches, or None for all; `maker` is who made it.
    `used` is when it last was, to the hour.
    """

    __tablename__ = "access_token"

    id: str = Field(default_factory=lambda: new_id("t"), primary_key=True)
    name: str
    secret_sha256: str = Field(index=True, unique=True)
    role: Role = Field(sa_column=_word(Role))
    project: str | None = Field(default=None, index=True)
    maker: str
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    expires: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    revoked: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    used: datetime | None = Field(default=None, sa_column=_moment(nullable=True))


class AuditEntry(SQLModel, table=True):
    """One change that somebody made: who, when, what, to what."""

    __tablename__ = "audit_entry"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    actor: str = Field(index=True)
    action: str
    subject: str
    project: str | None = None
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


class KeptAnswer(SQLModel, table=True):
    """The answer to a request with an Idempotency-Key.

    While it is worked on, `status` is None and `body` the id that is reserved for the run that it may make.
    """

    __tablename__ = "kept_answer"

    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_sha256: str
    begun: datetime = Field(default_factory=now, sa_column=Column(Moment(), nullable=False, index=True))
    status: int | None = None
    body: str | None = Field(default=None, sa_column=Column(Text, nullable=True))


class Upload(SQLModel, table=True):
    """A file that somebody sends in pieces; its bytes are `home/uploads/ID`, `received` of them so far."""

    __tablename__ = "upload"

    id: str = Field(default_factory=lambda: new_id("u"), primary_key=True)
    actor: str = Field(index=True)
    name: str
    kind: ArchiveKind = Field(sa_column=_word(ArchiveKind))
    bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    sha256: str
    received: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    state: UploadState = Field(default=UploadState.OPEN, sa_column=_word(UploadState))
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    updated: datetime = Field(default_factory=now, sa_column=Column(Moment(), nullable=False, index=True))


class Submission(SQLModel, table=True):
    """The wish for a run, until a worker has fetched and checked its source; `id` is that of the run.

    `code` and `reason` say why it was refused. `scope` is the only project that the run may be of. `published` is
    when its message was last sent, `lease_expires` until when `worker` has it, or nobody tries again.
    """

    __tablename__ = "submission"

    id: str = Field(primary_key=True)
    actor: str
    scope: str | None = None
    target: str
    upload_id: str | None = None
    narrowing: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    retries: int | None = None
    priority: int = 0
    state: SubmissionState = Field(
        default=SubmissionState.WAITING, sa_column=Column(Word(SubmissionState), nullable=False, index=True)
    )
    code: str | None = None
    reason: str | None = None
    tries: int = 0
    worker: str = ""
    created: datetime = Field(default_factory=now, sa_column=_moment(nullable=False))
    published: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
    lease_expires: datetime | None = Field(default=None, sa_column=_moment(nullable=True))
