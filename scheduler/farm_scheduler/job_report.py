"""A job as people see it: its cell, its attempts, and the steps of one of them.

Called by the pages and the command. It reads the record and nothing else: no stream, no file, and it never writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from farm_scheduler.errors import NotFoundError
from farm_scheduler.run_report import CellReport, RunReport, read_report
from farm_scheduler.states import ATTEMPT_ENDED, AttemptState
from farm_scheduler.tables import Attempt, Job, Step, now
from farm_scheduler.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """One try of a job in one machine.

    Attributes:
        seconds: from its lease to its end, or to now.
        parts: what each part of it cost, in seconds.
        stream_path: where its evidence is, relative to the home; None before there is one, and after it was removed.
    """

    id: str
    number: int
    state: AttemptState
    verdict: Verdict | None
    reason: str | None
    machine: str | None
    image_digest: str | None
    accelerator: str | None
    leased: datetime
    seconds: float
    parts: Mapping[str, float]
    stream_path: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing of it will change."""
        return self.state in ATTEMPT_ENDED

    @property
    def word(self) -> str:
        """The one word for it: the verdict when there is one, the state before."""
        return self.verdict.value if self.verdict is not None else self.state.value


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One step of an attempt; `name` is without `farm:`, `seconds` run on while the step does."""

    environment: str | None
    name: str
    status: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """A job at one moment.

    Attributes:
        attempt: the one that was asked for, else the newest; None before the first.
        steps: of that attempt, in the order in which they began.
    """

    run: RunReport
    cell: CellReport
    attempts: tuple[AttemptReport, ...]
    attempt: AttemptReport | None
    steps: tuple[StepReport, ...]


def run_of(session: Session, job_id: str) -> str:
    """The run of a job.

    Raises:
        NotFoundError: there is no such job.
    """
    job = session.get(Job, job_id)
    if job is None:
        sentence = f"there is no job {job_id}; `wheelfarm results RUN --json` names those of a run"
        raise NotFoundError(sentence, job=job_id)
    return job.run_id


def read_job(session: Session, run_id: str, job_id: str, number: int | None = None) -> JobReport:
    """The job as it stands in the record, with the steps of attempt `number`, or of the newest.

    Raises:
        NotFoundError: the run has no such job, or the job no such attempt.
    """
    run = read_report(session, run_id, failing=0)
    cell = next((cell for cell in run.cells if cell.job_id == job_id), None)
    if cell is None:
        raise NotFoundError(f"run {run_id} has no job {job_id}; its page names them", run=run_id, job=job_id)
    attempts = _attempts(session, job_id)
    chosen = next((each for each in attempts if number in {None, each.number}), None)
    if number is not None and chosen is None:
        raise NotFoundError(
            f"job {job_id} has no try {number}; `wheelfarm results {job_id}` lists them", job=job_id
        )
    steps = _steps(session, chosen) if chosen is not None else ()
    return JobReport(run=run, cell=cell, attempts=attempts, attempt=chosen, steps=steps)


def _attempts(session: Session, job_id: str) -> tuple[AttemptReport, ...]:
    """The newest first."""
    chosen = select(Attempt).where(Attempt.job_id == job_id).order_by(col(Attempt.number).desc())
    return tuple(_attempt(row) for row in session.exec(chosen))


def _attempt(row: Attempt) -> AttemptReport:
    return AttemptReport(
        id=row.id,
        number=row.number,
        state=row.state,
        verdict=row.verdict,
        reason=row.reason,
        machine=row.machine,
        image_digest=row.image_digest,
        accelerator=row.accelerator,
        leased=row.leased,
        seconds=((row.finished or now()) - row.leased).total_seconds(),
        parts=dict(row.seconds),
        stream_path=row.stream_path,
    )


def _steps(session: Session, attempt: AttemptReport) -> tuple[StepReport, ...]:
    rows = session.exec(select(Step).where(Step.attempt_id == attempt.id).order_by(col(Step.id))).all()
    return tuple(
        StepReport(
            environment=row.environment,
            name=row.name.removeprefix("farm:"),
            status=row.status,
            seconds=_seconds(row, goes_on=not attempt.ended),
        )
        for row in rows
    )


def _seconds(row: Step, *, goes_on: bool) -> float | None:
    end = row.finished or (now() if goes_on else None)
    return max(0.0, (end - row.started).total_seconds()) if row.started and end else None
