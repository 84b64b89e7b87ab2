"""The shapes of what the API tells: projects, runs, cells, jobs, attempts, steps, tests, images.

Used by the routers. They are the record's rows as JSON: times are ISO 8601 in UTC, lengths of time seconds, text of
guests as the guest wrote it. A shape never leads to a query of its own.
"""

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field

from farm_scheduler.installers import Installer
from farm_scheduler.states import AttemptState, ImageState, JobState, QuestionState, RunState
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict
from farm_scheduler.waiting import Wait

Item = TypeVar("Item")


class Shape(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(
        from_attributes=True,
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class Page(Shape, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next: str | None
    """The cursor of the next page; null on the last."""


class Project(Shape):
    """A project that the farm follows."""

    id: str
    name: str
    forge: str | None
    repository: str | None
    address: str | None
    """How webhooks find it: `host/path` of the repository."""
    weight: float
    """Its share of the farm beside the others'."""
    quota: int | None
    """How many of its jobs may be at work at a time; null for any number."""
    paused: bool
    """Its jobs wait until it goes on."""
    created: datetime


class Note(Shape):
    """What was left out of a run, or concerns all of it."""

    environment: str | None
    reason: str


class Narrowing(Shape):
    """What of the matrix was asked for; empty lists for all of it."""

    pythons: list[str] = Field(default_factory=list)
    systems: list[str] = Field(default_factory=list)
    installers: list[Installer] = Field(default_factory=list)
    constraints: list[str] = Field(default_factory=list)
    cutoff: datetime | None = None
    """Files that came to the package index later do not exist for the run."""


class Run(Shape):
    """One request to test one source."""

    id: str
    target: str
    project: str
    version: str | None
    source_sha256: str
    source_bytes: int
    state: RunState
    created: datetime
    finished: datetime | None
    reopened: datetime | None
    inferred: bool
    notes: list[Note]
    narrowing: Narrowing
    retries: int | None
    exit_code: int | None
    """0 as expected, 1 a cell is not, 3 the farm's fault, 130 cancelled; null until the run has ended."""
    trigger: Trigger
    ref: str | None
    revision: str | None
    priority: int


class Cell(Shape):
    """One Python on one system."""

    id: str
    run_id: str
    position: int
    python: str | None
    system: str
    label: str
    environments: list[str]
    tool: str
    variables: dict[str, str]
    inferred_config: str | None
    expected: Verdict
    expected_reason: str | None
    seconds: float | None
    """The time limit that the project declares."""
    packages: list[str]
    retries: int
    installer: Installer
    """What decides which releases it has."""
    constraints: list[str]
    """Files of the source, or URLs, if these decide."""
    cutoff: datetime | None


class Job(Shape):
    """The work of one cell."""

    id: str
    run_id: str
    cell_id: str
    kind: str
    state: JobState
    verdict: Verdict | None
    reason: str | None
    cancel_requested: bool
    created: datetime
    started: datetime | None
    finished: datetime | None
    not_before: datetime | None
    expected_seconds: float
    attempts_before: int
    tests_passed: int
    tests_failed: int
    tests_skipped: int
    tests_other: int
    tests_total: int
    now: str | None
    left_seconds: float | None


class Attempt(Shape):
    """One try of a job in one machine."""

    id: str
    job_id: str
    number: int
    state: AttemptState
    worker: str
    machine: str | None
    image_digest: str | None
    accelerator: str | None
    warm: bool | None
    leased: datetime
    answered: datetime | None
    finished: datetime | None
    verdict: Verdict | None
    reason: str | None
    stream_bytes: int
    seconds: dict[str, float]
    """What each part of it cost."""


class Step(Shape):
    """One step of an attempt."""

    environment: str | None
    name: str
    status: str
    started: datetime | None
    finished: datetime | None


class Test(Shape):
    """One test of an attempt."""

    __test__ = False  # pytest would take the name for a test class

    environment: str
    name: str
    status: str
    """Of subunit v2: success, fail, skip, xfail, uxsuccess, or inprogress for a test that never ended."""
    seconds: float | None
    message: str | None
    position: int


class Image(Shape):
    """A system, as an image of this farm."""

    name: str
    digest: str | None
    state: ImageState
    progress: int
    left_seconds: float | None
    note: str
    interpreters: list[dict[str, Any]]
    """As `interpreters` of docs/json-lines.md."""
    updated: datetime | None
    baked: datetime | None


class WaitingJob(Shape):
    """A job in the queue."""

    job_id: str
    run_id: str
    project: str
    label: str
    system: str
    trigger: Trigger
    priority: int
    created: datetime
    wait: Wait
    """What holds it back now."""
    reason: str
    """The same as a sentence."""
    starts_in_seconds: float | None
    """An estimate; null where nobody can tell."""
    expected_seconds: float


class Queue(Shape):
    """The queue at this moment."""

    machines: int
    """How many may be at work at a time."""
    at_work: int
    waiting: int
    """All jobs that wait, also those that are not shown."""
    jobs: list[WaitingJob]


class Artifact(Shape):
    """A file that a run or an attempt left."""

    name: str
    media_type: str
    bytes: int | None
    """Null for what is made while it is fetched."""
    href: str
    """Its address, below that of the API."""


class FailingTest(Shape):
    """A test that wants a look."""

    environment: str
    name: str
    status: str
    seconds: float | None
    message: str | None


class CellReport(Shape):
    """A cell and its job, as people see them."""

    job_id: str
    label: str
    python: str | None
    system: str
    environments: list[str]
    tool: str
    installer: Installer
    """What decided which releases it has."""
    installed: str | None
    """What its environments had, in a few words; `/jobs/JOB/set` has all of it."""
    state: JobState
    verdict: Verdict | None
    expected: Verdict
    reason: str | None
    passed: int
    failed: int
    skipped: int
    other: int
    total: int
    now: str | None
    seconds: float | None
    left_seconds: float | None
    attempt_id: str | None
    attempts: int
    history: list[Verdict]
    machine: str | None
    accelerator: str | None
    failing: list[FailingTest]


class WaitedImage(Shape):
    """An image that a run waits for."""

    name: str
    state: ImageState
    progress: int
    note: str
    left_seconds: float | None


class AskedQuestion(Shape):
    """What a machine is being asked before the run can be planned."""

    system: str
    state: QuestionState
    note: str


class Report(Shape):
    """A run with its cells, as people see it."""

    id: str
    target: str
    project: str
    version: str | None
    state: RunState
    created: datetime
    finished: datetime | None
    seconds: float
    inferred: bool
    notes: list[tuple[str | None, str]]
    """Pairs of environment (or null) and reason."""
    exit_code: int | None
    cells: list[CellReport]
    waits_for: list[WaitedImage]
    asks: AskedQuestion | None


def _id(kind: str, what: str) -> Any:
    return Path(pattern=rf"^{kind}-[0-9a-z]{{8}}$", description=f"The id of {what}.")


RunId = Annotated[str, _id("r", "a run")]
CellId = Annotated[str, _id("c", "a cell")]
JobId = Annotated[str, _id("j", "a job")]
AttemptId = Annotated[str, _id("a", "an attempt")]
TokenId = Annotated[str, _id("t", "a token")]
UploadId = Annotated[str, _id("u", "an upload")]
NAME = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?$"
ProjectName = Annotated[str, Path(pattern=NAME, description="The name of a project.")]
SystemName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$", description="The name of a system.")]
After = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,400}$", description="`next` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="Items on a page.")]
