"""Feedback: what is to be told of a run, to whom, and whether it was told.

Called by the worker's task, which sends. A status is told of every run of a commit, once that it waits and once how it
ended; webhooks and mail only of a change: the first bad run, and each that ends otherwise than the one before it on the
same branch. It sends nothing itself.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError
from farm_scheduler.feedback_tables import Channel, Listener, Report, ReportState
from farm_scheduler.guest_text import clean_line
from farm_scheduler.identifiers import new_id
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import AS_EXPECTED, FARMS_FAULT
from farm_scheduler.states import RUN_ENDED, RunState
from farm_scheduler.tables import Attempt, Cell, Job, Project, Run, Test, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

PENDING, ENDED = "pending", "ended"
LOOK_BACK = timedelta(days=2)
"""Runs that are older are not told of any more."""

MOST_TRIES = 8
FIRST_WAIT = timedelta(seconds=20)
MOST_FAILING = 10
AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in a few words.

    Attributes:
        outcome: `pending`, `success`, `failure`, `error` (the farm's own fault) or `cancelled`.
        text: one line.
        failing: names of failing tests, a few of them, with their cell.
        url: its page; empty where the farm has no public address.
    """

    run_id: str
    outcome: str
    text: str
    url: str
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One report that is to be sent now: to whom, and of what."""

    report_id: str
    channel: Channel
    place: str | None
    sealed: str | None = field(repr=False)
    project: str
    forge: str | None
    repository: str | None
    trigger: str
    ref: str | None
    revision: str | None
    summary: Summary


def plan_reports(database: Database) -> None:
    """Record what there is to tell of recent runs, each thing once."""
    with database.read() as session:
        if not _to_plan(session):
            return
    with database.write() as session:
        for run, listener, stage in _to_plan(session):
            reason = _why_not(session, run, listener, stage)
            report = Report(id=new_id("t"), run_id=run.id, channel=listener.channel, stage=stage)
            report.run_finished = run.finished if stage == ENDED else None
            if reason is not None:
                report.state, report.reason, report.finished = ReportState.DONE, reason, now()
            session.add(report)


def due_reports(database: Database, settings: Settings) -> list[Telling]:
    """What is to be sent now; nobody else will send it in the next minutes."""
    due = select(Report).where(Report.state == ReportState.WAITING, col(Report.not_before) <= now())
    due = due.order_by(col(Report.not_before)).limit(AT_ONCE)
    with database.read() as session:
        if session.exec(due.limit(1)).first() is None:
            return []
    with database.write() as session:
        found = []
        for report in session.exec(due):
            report.tries += 1
            report.not_before = now() + FIRST_WAIT * 2**report.tries
            found.append(_telling(session, settings, report))
        return [each for each in found if each is not None]


def settle_report(database: Database, report_id: str, error: FarmError | None) -> None:
    """Say how the sending ended; what failed is tried again, unless it was tried often enough."""
    with database.write() as session:
        report = session.get_one(Report, report_id)
        if error is None:
            report.state, report.reason, report.finished = ReportState.DONE, None, now()
            return
        report.reason = error.sentence
        if report.tries >= MOST_TRIES:
            report.state, report.finished = ReportState.FAILED, now()


def _to_plan(session: Session) -> list[tuple[Run, Listener, str]]:
    """Runs of projects with listeners, that these were not told of at their stage."""
    ended = col(Run.state).in_(list(RUN_ENDED))
    status = col(Listener.channel) == Channel.STATUS
    found: list[tuple[Run, Listener, str]] = []
    for stage, where, same in (
        (PENDING, (~ended, status), col(Report.run_finished).is_(None)),
        (ENDED, (ended,), col(Report.run_finished) == col(Run.finished)),
    ):
        told = (col(Report.run_id) == col(Run.id)) & (col(Report.channel) == col(Listener.channel)) & same
        chosen = (
            select(Run, Listener)
            .join(Listener, col(Listener.project_id) == col(Run.project_id))
            .outerjoin(Report, told & (col(Report.stage) == stage))
            .where(col(Run.created) >= now() - LOOK_BACK, col(Report.id).is_(None), *where)
            .order_by(col(Run.created))
            .limit(AT_ONCE)
        )
        found += [(run, listener, stage) for run, listener in session.exec(chosen)]
    return found


def _why_not(session: Session, run: Run, listener: Listener, stage: str) -> str | None:
    """Why there is nothing to tell; None where there is."""
    if listener.channel is Channel.STATUS:
        return None if run.revision else "the run is of no commit"
    if run.trigger is Trigger.PERSON:
        return "a person asked for the run, and looks at it"
    if stage == ENDED and run.state == RunState.CANCELLED:
        return "the run was cancelled"
    before = session.exec(
        select(Run)
        .where(Run.project_id == run.project_id, Run.ref == run.ref, Run.state == RunState.FINISHED)
        .where(col(Run.created) < run.created, col(Run.exit_code) != FARMS_FAULT)
        .order_by(col(Run.created).desc())
        .limit(1)
    ).first()
    was_good = before is None or before.exit_code == AS_EXPECTED
    if run.exit_code == FARMS_FAULT or was_good == (run.exit_code == AS_EXPECTED):
        return "nothing has changed since the run before"
    return None


def _telling(session: Session, settings: Settings, report: Report) -> Telling | None:
    run = session.get_one(Run, report.run_id)
    project = session.get(Project, run.project_id) if run.project_id else None
    listener = session.get(Listener, (run.project_id, report.channel)) if run.project_id else None
    if project is None or listener is None:
        report.state, report.reason, report.finished = ReportState.DONE, "nobody listens any more", now()
        return None
    return Telling(
        report_id=report.id,
        channel=report.channel,
        place=listener.place,
        sealed=listener.sealed,
        project=project.name,
        forge=project.forge,
        repository=project.repository,
        trigger=run.trigger.value,
        ref=run.ref,
        revision=run.revision,
        summary=_summary(session, settings, run, report.stage),
    )


def _summary(session: Session, settings: Settings, run: Run, stage: str) -> Summary:
    url = f"{settings.public_url.rstrip('/')}/runs/{run.id}" if settings.public_url else ""
    if stage == PENDING:
        return Summary(run_id=run.id, outcome="pending", text="waiting for its machines", url=url)
    rows = session.exec(
        select(Job, Cell).join(Cell, col(Cell.id) == col(Job.cell_id)).where(Job.run_id == run.id)
    )
    pairs = list(rows)
    words: dict[str, int] = {}
    for job, _ in pairs:
        word = (job.verdict or Verdict.FARM_ERROR).value if run.state != RunState.CANCELLED else "cancelled"
        words[word] = words.get(word, 0) + 1
    counted = ", ".join(f"{number} {word}" for word, number in sorted(words.items()))
    return Summary(
        run_id=run.id,
        outcome=_outcome(run),
        text=counted or clean_line(str(run.notes[-1]["reason"]) if run.notes else "nothing ran"),
        url=url,
        failing=_failing(session, run.id),
    )


def _outcome(run: Run) -> str:
    if run.state == RunState.CANCELLED:
        return "cancelled"
    return {AS_EXPECTED: "success", FARMS_FAULT: "error"}.get(run.exit_code or 0, "failure")


def _failing(session: Session, run_id: str) -> tuple[str, ...]:
    chosen = (
        select(Cell.label, Test.name)
        .join(Job, col(Job.cell_id) == col(Cell.id))
        .join(Attempt, col(Attempt.job_id) == col(Job.id))
        .join(Test, col(Test.attempt_id) == col(Attempt.id))
        .where(Cell.run_id == run_id, Test.status == "fail")
        .order_by(col(Cell.position), col(Test.position))
        .limit(MOST_FAILING)
    )
    return tuple(clean_line(f"{label}: {name}") for label, name in session.exec(chosen))
