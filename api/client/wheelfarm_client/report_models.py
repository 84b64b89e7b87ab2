"""A run with its cells, as people see it, as plain objects.

Part of models, which has them all. They know no server and send nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import List, Optional, Tuple


@dataclass(frozen=True)
class FailingTest:
    """A test that wants a look."""

    environment: str
    name: str
    status: str
    seconds: Optional[float]
    message: Optional[str]


@dataclass(frozen=True)
class CellReport:
    """A cell and its job, as people see them."""

    job_id: str
    label: str
    python: Optional[str]
    system: str
    environments: List[str]
    tool: str
    installer: str
    """What decided which releases it has."""
    installed: Optional[str]
    """What its environments had, in a few words; `get_job_set` has all of it."""
    state: str
    verdict: Optional[str]
    expected: str
    reason: Optional[str]
    passed: int
    failed: int
    skipped: int
    other: int
    total: int
    now: Optional[str]
    seconds: Optional[float]
    left_seconds: Optional[float]
    attempt_id: Optional[str]
    attempts: int
    history: List[str]
    machine: Optional[str]
    accelerator: Optional[str]
    failing: List[FailingTest]


@dataclass(frozen=True)
class WaitedImage:
    """An image that a run waits for."""

    name: str
    state: str
    progress: int
    note: str
    left_seconds: Optional[float]


@dataclass(frozen=True)
class AskedQuestion:
    """What a machine is being asked before the run can be planned."""

    system: str
    state: str
    note: str


@dataclass(frozen=True)
class Report:
    """A run with its cells, as people see it."""

    id: str
    target: str
    project: str
    version: Optional[str]
    state: str
    created: datetime
    finished: Optional[datetime]
    seconds: float
    inferred: bool
    notes: List[Tuple[Optional[str], str]]
    """Pairs of environment (or null) and reason."""
    exit_code: Optional[int]
    cells: List[CellReport]
    waits_for: List[WaitedImage]
    asks: Optional[AskedQuestion]
