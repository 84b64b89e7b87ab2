"""A run as people see it: its cells with their verdicts, counts and times, at one moment.

Called by the command and the pages, so that both say the same. It reads the record and nothing else: no stream, no
file, and it never writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, func, select

from farm_scheduler.errors import NotFoundError
from farm_scheduler.installed_sets import sentences
from farm_scheduler.installers import Installer
from farm_scheduler.plan import ALL_SYSTEMS
from farm_scheduler.states import (
    JOB_ENDED,
    QUESTION_OPEN,
    RUN_ENDED,
    ImageState,
    JobState,
    QuestionState,
    RunState,
)
from farm_scheduler.tables import Attempt, Cell, Image, Job, Question, Run, Test, now
from farm_scheduler.verdicts import UNEXPECTED_PASS, Verdict

BAD_STATUSES = ("fail", "uxsuccess", "inprogress")
"""Statuses of a test (subunit v2) that want a person's look; `inprogress` is a test that never ended."""

CALM = frozenset({Verdict.NO_TESTS, Verdict.UNSUPPORTED, Verdict.EXPECTED_FAILURE})
"""Neither green nor somebody's fault: the reason is shown, the log is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingTest:
    """A test that failed, passed against its mark, or was running when the stream ended."""

    environment: str
    name: str
    status: str
    seconds: float | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """One row of the table.

    Attributes:
        seconds: from the first lease to the end, or to now; None before that.
        left_seconds: an estimate of what is left; None when there is none.
        attempt_id: the newest attempt, whose evidence counts; None before the first.
        stream_path: where the evidence of that attempt is, relative to the farm's home.
        attempts: how many there were.
        history: the verdicts of the attempts before the newest, in order.
        installer: what decided which releases it has.
        installed: what its environments had, in a few words; None while nobody knows.
        failing: the tests to look at, of the newest attempt, at most `limit` of `read_report`; of a flaky job those of
            the last attempt that failed.
    """

    job_id: str
    label: str
    python: str | None
    system: str
    environments: tuple[str, ...]
    tool: str
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
    stream_path: str | None
    attempts: int
    history: tuple[Verdict, ...]
    machine: str | None
    accelerator: str | None
    failing: tuple[FailingTest, ...]
    installer: Installer = Installer.PROJECT
    installed: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in JOB_ENDED

    @property
    def unexpected(self) -> bool:
        """Whether it passed although the project expects it to fail."""
        return self.expected is Verdict.EXPECTED_FAILURE and self.verdict is not None and self.verdict.green

    @property
    def green(self) -> bool:
        """Whether it may be shown in green."""
        return self.verdict is not None and self.verdict.green and not self.unexpected

    @property
    def bad(self) -> bool:
        """Whether somebody should look into it: failing tests and the end of the log are shown."""
        return self.verdict is not None and not self.green and self.verdict not in CALM

    @property
    def left(self) -> str:
        """`about 12 s left`; empty when nobody knows, or when it takes longer than was thought."""
        return left_text(self.left_seconds)

    @property
    def word(self) -> str:
        """The one word for it: the verdict when there is one, the state before."""
        if self.unexpected:
            return UNEXPECTED_PASS
        return self.verdict.value if self.verdict is not None else self.state.value


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """An image that a run waits for: its state, and how far its bake is, from 0 to 100."""

    name: str
    state: ImageState
    progress: int
    note: str
    left_seconds: float | None = None

    @property
    def left(self) -> str:
        """`about 2 min left`; empty when nobody knows."""
        return left_text(self.left_seconds)


def left_text(left: float | None) -> str:
    """`about 12 s left`; empty when nobody knows, or when it takes longer than was thought."""
    if left is None or left < 1:
        return ""
    seconds = round(left)
    return f"about {seconds} s left" if seconds < 90 else f"about {round(seconds / 60)} min left"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionReport:
    """A question that a run waits for: the machine's system, and how far it is."""

    system: str
    state: QuestionState
    note: str

    @property
    def sentence(self) -> str:
        """What people see."""
        asks = f"asking a machine of {self.system} for metadata that only a build tells"
        return f"{asks}: {self.note}" if self.note else asks


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run at one moment.

    Attributes:
        notes: what was left out, as (environment, reason); without an environment it concerns the whole run.
        seconds: from its start, or from when it was opened again, to its end or to now.
        exit_code: that of `wheelfarm run`; None until the run has ended.
        waits_for: the images that are not ready yet; none for a run that has ended.
        asks: what a machine is being asked before the run can be planned, or None.
    """

    id: str
    target: str
    project: str
    version: str | None
    state: RunState
    created: datetime
    finished: datetime | None
    seconds: float
    inferred: bool
    notes: tuple[tuple[str | None, str], ...]
    exit_code: int | None
    cells: tuple[CellReport, ...]
    waits_for: tuple[ImageReport, ...] = ()
    asks: QuestionReport | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is finished or cancelled."""
        return self.state in RUN_ENDED

    @property
    def title(self) -> str:
        """`pluggy 1.7.0`, or the name alone when the version is not known."""
        return f"{self.project} {self.version}" if self.version else self.project


def read_report(session: Session, run_id: str, *, failing: int = 20) -> RunReport:
    """The run as it stands in the record; `failing` bounds the failing tests of each cell.

    Raises:
        NotFoundError: no run has this id.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}; `wheelfarm results` lists the newest", run=run_id)
    rows = session.exec(
        select(Cell, Job)
        .join(Job, col(Job.cell_id) == col(Cell.id))
        .where(Cell.run_id == run_id)
        .order_by(col(Cell.position), col(Job.created))
    ).all()
    attempts = _attempts(session, [job.id for _cell, job in rows])
    installed = sentences(session, [each.id for found in attempts.values() for each in found[-1:]])
    cells = [
        replace(each, installed=installed.get(each.attempt_id or ""))
        for each in (_cell(session, cell, job, attempts.get(job.id, ()), failing) for cell, job in rows)
    ]
    return _report(run, cells, _missing_images(session, run, cells), _question(session, run))


def notes_by_reason(report: RunReport) -> dict[str, list[str]]:
    """The environments that were left out, by reason, in the order of the plan; none for the whole run."""
    found: dict[str, list[str]] = {}
    for environment, reason in report.notes:
        names = found.setdefault(reason, [])
        if environment is not None:
            names.append(environment)
    return found


def _missing_images(session: Session, run: Run, cells: Sequence[CellReport]) -> tuple[ImageReport, ...]:
    """Of the images that the run still needs, those that are not ready; before it is planned, of all it may need."""
    if run.state in RUN_ENDED:
        return ()
    named = set(run.narrowing.get("systems") or ())
    wanted = {cell.system for cell in cells if not cell.ended} or (set() if ALL_SYSTEMS in named else named)
    rows = session.exec(select(Image).where(Image.state != ImageState.READY).order_by(col(Image.name))).all()
    return tuple(
        ImageReport(
            name=row.name,
            state=row.state,
            progress=row.progress,
            note=row.note,
            left_seconds=row.left_seconds,
        )
        for row in rows
        if not wanted or row.name in wanted
    )


def _question(session: Session, run: Run) -> QuestionReport | None:
    if run.state != RunState.PLANNED:
        return None
    chosen = select(Question).where(
        Question.source_sha256 == run.source_sha256, col(Question.state).in_(list(QUESTION_OPEN))
    )
    found = session.exec(chosen.limit(1)).first()
    if found is None:
        return None
    return QuestionReport(system=found.system, state=found.state, note=found.note)


def _report(
    run: Run,
    cells: Sequence[CellReport],
    waits_for: tuple[ImageReport, ...],
    asks: QuestionReport | None,
) -> RunReport:
    return RunReport(
        id=run.id,
        target=run.target,
        project=run.project,
        version=run.version,
        state=run.state,
        created=run.created,
        finished=run.finished,
        seconds=((run.finished or now()) - (run.reopened or run.created)).total_seconds(),
        inferred=run.inferred,
        notes=tuple((note.get("environment"), note.get("reason") or "") for note in run.notes),
        exit_code=run.exit_code,
        cells=tuple(cells),
        waits_for=waits_for,
        asks=asks,
    )


def _attempts(session: Session, jobs: Sequence[str]) -> Mapping[str, list[Attempt]]:
    """The attempts of each job that had any, oldest first."""
    chosen = select(Attempt).where(col(Attempt.job_id).in_(jobs)).order_by(col(Attempt.number))
    found: dict[str, list[Attempt]] = {}
    for attempt in session.exec(chosen):
        found.setdefault(attempt.job_id, []).append(attempt)
    return found


def _cell(session: Session, cell: Cell, job: Job, attempts: Sequence[Attempt], failing: int) -> CellReport:
    # A job that waits to be run again shows what will be, not the attempt before.
    current = attempts[job.attempts_before :]
    attempt = current[-1] if current else None
    told = attempt
    if job.verdict is Verdict.FLAKY:
        told = next((each for each in reversed(current) if each.verdict is Verdict.FAILED), attempt)
    looked_at = failing and not (job.verdict and job.verdict.green)
    seconds = ((job.finished or now()) - job.started).total_seconds() if job.started else None
    return CellReport(
        job_id=job.id,
        label=cell.label,
        python=cell.python,
        system=cell.system,
        environments=tuple(cell.environments),
        tool=cell.tool,
        state=job.state,
        verdict=job.verdict,
        expected=cell.expected,
        reason=job.reason,
        passed=job.tests_passed,
        failed=job.tests_failed,
        skipped=job.tests_skipped,
        other=job.tests_other,
        total=job.tests_total,
        now=job.now,
        seconds=seconds,
        left_seconds=job.left_seconds,
        attempt_id=attempt.id if attempt else None,
        stream_path=attempt.stream_path if attempt else None,
        attempts=len(attempts),
        history=tuple(each.verdict for each in attempts if each is not attempt and each.verdict),
        machine=attempt.machine if attempt else None,
        accelerator=attempt.accelerator if attempt else None,
        failing=_failing(session, told, failing) if told and looked_at else (),
        installer=cell.installer,
    )


def _failing(session: Session, attempt: Attempt, limit: int) -> tuple[FailingTest, ...]:
    # While a job runs, a test in progress is no news; it is when the job has ended.
    wanted = BAD_STATUSES if attempt.finished else ("fail", "uxsuccess")
    rows = session.exec(
        select(Test)
        .where(Test.attempt_id == attempt.id, col(Test.status).in_(wanted))
        .order_by(col(Test.position))
        .limit(limit)
    ).all()
    return tuple(
        FailingTest(
            environment=row.environment,
            name=row.name,
            status=row.status,
            seconds=row.seconds,
            message=row.message,
        )
        for row in rows
    )


def count_failing(session: Session, attempt_id: str) -> int:
    """How many tests of an attempt want a look, when `read_report` was given a bound."""
    statement = (
        select(func.count())
        .select_from(Test)
        .where(Test.attempt_id == attempt_id, col(Test.status).in_(BAD_STATUSES))
    )
    return session.exec(statement).one()
