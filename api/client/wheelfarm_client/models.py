"""What a farm tells, as plain objects: runs, cells, jobs, attempts, tests, images, tokens and so on.

Made by decoding from the JSON of the server; the fields are those of its OpenAPI document (a test compares them).
States and verdicts are words, so that a server may have new ones. They know no server and send nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, List, Optional

from wheelfarm_client.access_models import (
    Cancellation,
    Change,
    Disposal,
    Garbage,
    GarbageItem,
    MadeToken,
    Submission,
    Token,
    Upload,
    Whoami,
)
from wheelfarm_client.project_models import (
    Following,
    Listener,
    MadeListener,
    MadeSecret,
    Pattern,
    Redelivery,
    Removal,
    WebhookSecret,
)
from wheelfarm_client.report_models import AskedQuestion, CellReport, FailingTest, Report, WaitedImage
from wheelfarm_client.set_models import (
    ComparedJob,
    ConstraintsFile,
    EnvironmentPair,
    FetchedFile,
    InstalledPackage,
    InstalledSet,
    JobSet,
    LockFile,
    SetComparison,
    SetDifference,
)

__all__ = [
    "Artifact", "AskedQuestion", "Attempt", "Cancellation", "Cell", "CellReport", "Change", "ComparedJob",
    "ConstraintsFile", "Delivery", "Disposal", "EnvironmentPair", "Event", "FailingTest", "FetchedFile",
    "Following", "Garbage", "GarbageItem", "Image", "InstalledPackage", "InstalledSet", "Job", "JobSet",
    "Listener", "LockFile", "LogPiece", "MadeListener", "MadeSecret", "MadeToken", "Narrowing", "Note",
    "Pattern", "Project", "Queue", "Redelivery", "Removal", "Report", "Run", "SetComparison", "SetDifference",
    "Step", "Submission", "Test", "Token", "Upload", "WaitedImage", "WaitingJob", "WebhookSecret", "Whoami",
]  # fmt: skip


@dataclass(frozen=True)
class Project:
    """A project that the farm follows."""

    id: str
    name: str
    forge: Optional[str]
    repository: Optional[str]
    address: Optional[str]
    """How webhooks find it: `host/path` of the repository."""
    weight: float
    """Its share of the farm beside the others'."""
    quota: Optional[int]
    """How many of its jobs may be at work at a time; null for any number."""
    paused: bool
    created: datetime


@dataclass(frozen=True)
class Note:
    """What was left out of a run, or concerns all of it."""

    environment: Optional[str]
    reason: str


@dataclass(frozen=True)
class Narrowing:
    """What of the matrix was asked for; empty lists for all of it."""

    pythons: List[str]
    systems: List[str]
    installers: List[str]
    constraints: List[str]
    cutoff: Optional[datetime]
    """Files that came to the package index later do not exist for the run."""


@dataclass(frozen=True)
class Run:
    """One request to test one source."""

    id: str
    target: str
    project: str
    version: Optional[str]
    source_sha256: str
    source_bytes: int
    state: str
    created: datetime
    finished: Optional[datetime]
    reopened: Optional[datetime]
    inferred: bool
    notes: List[Note]
    narrowing: Narrowing
    retries: Optional[int]
    exit_code: Optional[int]
    """0 as expected, 1 a cell is not, 3 the farm's fault, 130 cancelled; null until the run has ended."""
    trigger: str
    ref: Optional[str]
    revision: Optional[str]
    priority: int


@dataclass(frozen=True)
class Cell:
    """One Python on one system."""

    id: str
    run_id: str
    position: int
    python: Optional[str]
    system: str
    label: str
    environments: List[str]
    tool: str
    variables: Dict[str, str]
    inferred_config: Optional[str]
    expected: str
    expected_reason: Optional[str]
    seconds: Optional[float]
    """The time limit that the project declares."""
    packages: List[str]
    retries: int
    installer: str
    """What decides which releases it has."""
    constraints: List[str]
    """Files of the source, or URLs, if these decide."""
    cutoff: Optional[datetime]


@dataclass(frozen=True)
class Job:
    """The work of one cell."""

    id: str
    run_id: str
    cell_id: str
    kind: str
    state: str
    verdict: Optional[str]
    reason: Optional[str]
    cancel_requested: bool
    created: datetime
    started: Optional[datetime]
    finished: Optional[datetime]
    not_before: Optional[datetime]
    expected_seconds: float
    attempts_before: int
    tests_passed: int
    tests_failed: int
    tests_skipped: int
    tests_other: int
    tests_total: int
    now: Optional[str]
    left_seconds: Optional[float]


@dataclass(frozen=True)
class Attempt:
    """One try of a job in one machine."""

    id: str
    job_id: str
    number: int
    state: str
    worker: str
    machine: Optional[str]
    image_digest: Optional[str]
    accelerator: Optional[str]
    warm: Optional[bool]
    leased: datetime
    answered: Optional[datetime]
    finished: Optional[datetime]
    verdict: Optional[str]
    reason: Optional[str]
    stream_bytes: int
    seconds: Dict[str, float]
    """What each part of it cost."""


@dataclass(frozen=True)
class Step:
    """One step of an attempt."""

    environment: Optional[str]
    name: str
    status: str
    started: Optional[datetime]
    finished: Optional[datetime]


@dataclass(frozen=True)
class Test:
    """One test of an attempt."""

    environment: str
    name: str
    status: str
    """Of subunit v2: success, fail, skip, xfail, uxsuccess, or inprogress for a test that never ended."""
    seconds: Optional[float]
    message: Optional[str]
    position: int


@dataclass(frozen=True)
class Image:
    """A system, as an image of this farm."""

    name: str
    digest: Optional[str]
    state: str
    progress: int
    left_seconds: Optional[float]
    note: str
    interpreters: List[Dict[str, Any]]
    """As `interpreters` of docs/json-lines.md."""
    updated: Optional[datetime]
    baked: Optional[datetime]


@dataclass(frozen=True)
class WaitingJob:
    """A job in the queue."""

    job_id: str
    run_id: str
    project: str
    label: str
    system: str
    trigger: str
    priority: int
    created: datetime
    wait: str
    """What holds it back now: machine, image, parent, quota, paused or retry."""
    reason: str
    """The same as a sentence."""
    starts_in_seconds: Optional[float]
    """An estimate; null where nobody can tell."""
    expected_seconds: float


@dataclass(frozen=True)
class Queue:
    """The queue at this moment."""

    machines: int
    at_work: int
    waiting: int
    """All jobs that wait, also those that are not shown."""
    jobs: List[WaitingJob]


@dataclass(frozen=True)
class Event:
    """Something that asks for a run: of a webhook, or of the release watcher."""

    id: str
    project: str
    forge: Optional[str]
    delivery_id: Optional[str]
    trigger: str
    target: str
    ref: Optional[str]
    revision: Optional[str]
    state: str
    reason: Optional[str]
    tries: int
    run_id: Optional[str]
    """Its run; null while there is none."""
    created: datetime
    not_before: Optional[datetime]
    finished: Optional[datetime]


@dataclass(frozen=True)
class Delivery:
    """What a forge told the farm."""

    forge: str
    delivery_id: str
    project: str
    kind: str
    reason: Optional[str]
    """Why nothing came of it, where nothing did."""
    received: datetime


@dataclass(frozen=True)
class Artifact:
    """A file that a run or an attempt left."""

    name: str
    media_type: str
    bytes: Optional[int]
    """Null for what is made while it is fetched."""
    href: str
    """Its address, below that of the API."""


@dataclass(frozen=True)
class LogPiece:
    """A piece of a log, made harmless for screens."""

    text: str
    skipped: bool
    """Whether there is text before it that no piece gave."""
    cursor: Optional[str]
    """For the next piece."""
    more: bool
    """Whether there is more already."""
    ended: bool
    """Whether the attempt has ended: then there is no more to come."""
