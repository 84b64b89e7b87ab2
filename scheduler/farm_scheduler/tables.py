"""The record: the tables of projects, runs, cells, jobs, attempts, steps, tests, images, questions and the queue.

Called by everything that reads or writes the record; the migrations follow these classes (a test compares
them). Tables hold what happened, never how to decide: that is planning, jobs and results.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, Index, String, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from farm_scheduler import clock
from farm_scheduler.identifiers import new_id
from farm_scheduler.installers import Installer
from farm_scheduler.states import AttemptState, ImageState, JobState, QuestionState, RunState
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

WORD_LENGTH = 32

now = clock.now
"""The time now, in UTC and aware of it."""


class Moment(TypeDecorator[datetime]):
    """A point in time: aware on the Python side, UTC in the database, on SQLite as well."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times and store UTC."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            sentence = "a time without a zone cannot be recorded; use tables.now()"
            raise ValueError(sentence)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """SQLite forgets the zone: put UTC back."""
        del dialect
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


class Word(TypeDecorator[StrEnum]):
    """A member of a string enum, stored as its value: a new member needs no migration."""

    impl = String(WORD_LENGTH)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: StrEnum | str | None, dialect: Dialect) -> str | None:
        """Store the exact word; a word that is not in the enum is refused."""
        del dialect
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """Give the member back."""
        del dialect
        return None if value is None else self.words(value)


def _word(words: type[StrEnum], *, nullable: bool = False) -> Column[Any]:
    return Column(Word(words), nullable=nullable)


def _moment() -> Column[Any]:
    return Column(Moment(), nullable=True)


def _born() -> Column[Any]:
    return Column(Moment(), nullable=False)


def _json() -> Column[Any]:
    return Column(JSON, nullable=False)


class Project(SQLModel, table=True):
    """A project that the farm follows: where its source is, and how much of the farm is its share.

    `name` is the normalized name that its runs carry. `repository` is the clone URL at its `forge` (`github`,
    `gitlab`, …), both None for a project that only releases; `address` is how webhooks find it: `host/path` in lower
    case. `weight` is its share beside the others' (1 by default), `quota` how many of its jobs may be at work at a time
    (None: any number); a `paused` project's jobs wait.
    """

    __tablename__ = "project"
    __table_args__ = (UniqueConstraint("forge", "address", name="uq_project_address"),)

    id: str = Field(default_factory=lambda: new_id("p"), primary_key=True)
    name: str = Field(index=True, unique=True)
    forge: str | None = None
    repository: str | None = None
    address: str | None = None
    weight: float = 1.0
    quota: int | None = None
    paused: bool = False
    created: datetime = Field(default_factory=now, sa_column=_born())


class Run(SQLModel, table=True):
    """One request to test one source: planned into cells, finished when every job is.

    `notes` is a list of `{"environment": name or None, "reason": sentence}`: what was left out, and (with
    None) what was inferred. `narrowing` is what `plan.Narrowing.document` gives. `reopened` is when a job of it was
    last run again. `retries` is how often a cell that fails is tried again, where a person said so. `trigger` is what
    asked for it; of a push, `ref` is the branch or tag and `revision` the commit. The higher `priority` goes first.
    """

    __tablename__ = "run"

    id: str = Field(default_factory=lambda: new_id("r"), primary_key=True)
    target: str
    project: str = Field(index=True)
    version: str | None = None
    source_sha256: str
    source_bytes: int = 0
    state: RunState = Field(default=RunState.PLANNED, sa_column=_word(RunState))
    created: datetime = Field(default_factory=now, sa_column=_born())
    finished: datetime | None = Field(default=None, sa_column=_moment())
    reopened: datetime | None = Field(default=None, sa_column=_moment())
    inferred: bool = False
    notes: list[dict[str, str | None]] = Field(default_factory=list, sa_column=_json())
    narrowing: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    retries: int | None = None
    exit_code: int | None = None
    project_id: str | None = Field(default=None, foreign_key="project.id", index=True)
    trigger: Trigger = Field(default=Trigger.PERSON, sa_column=Column(Word(Trigger), nullable=False))
    ref: str | None = None
    revision: str | None = None
    priority: int = 0


class Cell(SQLModel, table=True):
    """One Python on one operating system: the environments that fit it, in order.

    `variables` are added to the environment of tox. `expected_reason` says why another verdict than `passed` is
    expected, and `seconds` is the time limit of its job: both as the project declares, or None. `packages` are
    those of the system that its machine installs first. `retries` is how often its job is tried again when tests fail.
    `installer` decides which releases it has, by `constraints` (files of the source, URLs) if those decide; files that
    came to the index after `cutoff` do not exist for it.
    """

    __tablename__ = "cell"

    id: str = Field(default_factory=lambda: new_id("c"), primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    position: int
    python: str | None = None
    system: str
    label: str
    environments: list[str] = Field(default_factory=list, sa_column=_json())
    tool: str = "tox"
    variables: dict[str, str] = Field(default_factory=dict, sa_column=_json())
    inferred_config: str | None = None
    expected: Verdict = Field(default=Verdict.PASSED, sa_column=_word(Verdict))
    expected_reason: str | None = None
    seconds: float | None = None
    packages: list[str] = Field(default_factory=list, sa_column=_json())
    retries: int = 0
    installer: Installer = Field(default=Installer.PROJECT, sa_column=_word(Installer))
    constraints: list[str] = Field(default_factory=list, sa_column=_json())
    cutoff: datetime | None = Field(default=None, sa_column=_moment())


class Job(SQLModel, table=True):
    """The work of one cell: waits, is worked on by attempts, and ends with one verdict.

    `attempts_before` is how many attempts it had when it was last run again: those after it are the tries.
    `parent_id` is the job whose end it waits for. Its place in the queue (shares): the `share` that it counts for, the
    `system` that it needs, its `head_start`, and its `rank` among the jobs of that share (the higher goes first).
    """

    __tablename__ = "job"
    __table_args__ = (Index("ix_job_claim", "state", "share", "system", "rank", "expected_seconds", "id"),)

    id: str = Field(default_factory=lambda: new_id("j"), primary_key=True)
    run_id: str = Field(foreign_key="run.id", index=True)
    cell_id: str = Field(foreign_key="cell.id", index=True)
    kind: str = "test"
    state: JobState = Field(default=JobState.QUEUED, sa_column=_word(JobState))
    verdict: Verdict | None = Field(default=None, sa_column=_word(Verdict, nullable=True))
    reason: str | None = None
    cancel_requested: bool = False
    created: datetime = Field(default_factory=now, sa_column=_born())
    started: datetime | None = Field(default=None, sa_column=_moment())
    finished: datetime | None = Field(default=None, sa_column=_moment())
    not_before: datetime | None = Field(default=None, sa_column=_moment())
    expected_seconds: float = 0.0
    attempts_before: int = 0
    parent_id: str | None = Field(default=None, foreign_key="job.id", index=True)
    share: str = ""
    system: str = ""
    head_start: float = 0.0
    rank: float = 0.0
    tests_passed: int = 0
    tests_failed: int = 0
    tests_skipped: int = 0
    tests_other: int = 0
    tests_total: int = 0
    now: str | None = None
    left_seconds: float | None = None


class Share(SQLModel, table=True):
    """What one project had of the farm so far, by which its next turn is found (shares).

    `key` is the id of the project, or `name:NAME` for runs of no project. `tag` is the seconds of work that it was
    given, divided by its weight, on a scale that all shares have in common; `served` is its tag when a job of it was
    last begun.
    """

    __tablename__ = "share"

    key: str = Field(primary_key=True)
    project_id: str | None = Field(default=None, foreign_key="project.id")
    tag: float = 0.0
    served: float = Field(default=0.0, index=True)


class Lane(SQLModel, table=True):
    """That a share has queued jobs for a system, and when it is their turn: the highest `turn` goes first.

    `head_start` and `rank` are those of its first job. A lane without jobs is harmless and goes with the next sweep.
    """

    __tablename__ = "lane"
    __table_args__ = (Index("ix_lane_turn", "turn", "rank"),)

    share: str = Field(primary_key=True, foreign_key="share.key")
    system: str = Field(primary_key=True)
    head_start: float = 0.0
    rank: float = 0.0
    turn: float = 0.0


class Attempt(SQLModel, table=True):
    """One try of a job in one machine; its raw stream is the evidence.

    `seconds` is `{"step": seconds}`: what each part of the attempt cost. `stream_path` is relative
    to the home.
    """

    __tablename__ = "attempt"

    id: str = Field(default_factory=lambda: new_id("a"), primary_key=True)
    job_id: str = Field(foreign_key="job.id", index=True)
    number: int
    state: AttemptState = Field(default=AttemptState.LEASED, sa_column=_word(AttemptState))
    worker: str = ""
    machine: str | None = None
    image_digest: str | None = None
    accelerator: str | None = None
    warm: bool | None = None
    leased: datetime = Field(default_factory=now, sa_column=_born())
    answered: datetime | None = Field(default=None, sa_column=_moment())
    finished: datetime | None = Field(default=None, sa_column=_moment())
    verdict: Verdict | None = Field(default=None, sa_column=_word(Verdict, nullable=True))
    reason: str | None = None
    stream_path: str | None = None
    stream_bytes: int = 0
    lease_expires: datetime | None = Field(default=None, sa_column=_moment())
    seconds: dict[str, float] = Field(default_factory=dict, sa_column=_json())


class Step(SQLModel, table=True):
    """One step of an attempt (`farm:install`): of one environment, or of the whole job."""

    __tablename__ = "step"

    id: int | None = Field(default=None, primary_key=True)
    attempt_id: str = Field(foreign_key="attempt.id", index=True)
    environment: str | None = None
    name: str
    status: str
    started: datetime | None = Field(default=None, sa_column=_moment())
    finished: datetime | None = Field(default=None, sa_column=_moment())


class Test(SQLModel, table=True):
    """One test of an attempt in one environment, with its final status and the end of what it said."""

    __tablename__ = "test"
    __table_args__ = (Index("ix_test_outcome", "attempt_id", "status"),)
    __test__ = False  # pytest would take the name for a test class

    id: int | None = Field(default=None, primary_key=True)
    attempt_id: str = Field(foreign_key="attempt.id", index=True)
    environment: str
    name: str
    status: str
    seconds: float | None = None
    message: str | None = None
    position: int


class Image(SQLModel, table=True):
    """An image as this host has it: which file, how far the bake is, and which interpreters work in it.

    `interpreters` is the catalogue's list: `{"path", "version", "implementation", "threaded", "provider", "tags",
    "works", "reason"}`. `left_seconds` is an estimate while it is baked; afterwards `note` is what a provider could not
    give.
    """

    __tablename__ = "image"

    name: str = Field(primary_key=True)
    digest: str | None = None
    state: ImageState = Field(default=ImageState.MISSING, sa_column=_word(ImageState))
    progress: int = 0
    left_seconds: float | None = None
    note: str = ""
    interpreters: list[dict[str, Any]] = Field(default_factory=list, sa_column=_json())
    updated: datetime | None = Field(default=None, sa_column=_moment())
    baked: datetime | None = Field(default=None, sa_column=_moment())


class Question(SQLModel, table=True):
    """What a source says of itself when it is built, asked once of a machine of a system, and kept.

    `answer` is `{"name", "version", "requires_python", "classifiers", "extras"}` once it is there; `reason` says
    why there is none. `tries` counts the machines that failed by the farm's fault. A question that no run waits for
    is asked as long as `wanted_until` lies ahead. `published` is when its message was last sent.
    """

    __tablename__ = "question"

    source_sha256: str = Field(primary_key=True)
    system: str = Field(primary_key=True)
    state: QuestionState = Field(default=QuestionState.WAITING, sa_column=_word(QuestionState))
    answer: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    reason: str | None = None
    note: str = ""
    tries: int = 0
    worker: str = ""
    lease_expires: datetime | None = Field(default=None, sa_column=_moment())
    wanted_until: datetime | None = Field(default=None, sa_column=_moment())
    published: datetime | None = Field(default=None, sa_column=_moment())
    updated: datetime = Field(default_factory=now, sa_column=_born())
