"""Feedback: what is to be told of a run, to whom, and whether it was told.

Called by the worker's task, which sends. A status or check is told of every run of a commit, once that it waits and
once how it ended; a comment how it ended, on each pull request that led to it; webhooks and mail only of a change: the
first bad run, and each that ends otherwise than the one before it on the same branch. It sends nothing itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import ColumnElement
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.failures import Failure, failures_of
from farm_scheduler.feedback_tables import Channel, Listener, Post, Report, ReportState
from farm_scheduler.identifiers import new_id
from farm_scheduler.run_summary import ENDED, PENDING, Summary, summary_of
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import AS_EXPECTED, FARMS_FAULT
from farm_scheduler.states import RUN_ENDED, RunState
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.triggers import Trigger

LOOK_BACK = timedelta(days=2)
"""Runs that are older are not told of any more."""

MOST_TRIES = 8
FIRST_WAIT = timedelta(seconds=20)
AT_ONCE = 50

TELLING_SECONDS = 75.0
"""How long one telling may take with all its exchanges; what is left of it is told by the next try."""

LONGEST_TELLING = timedelta(minutes=2)
"""Who has a report for longer than this has died; so long a listener that answers too slowly is left alone."""

OF_COMMITS = frozenset({Channel.STATUS, Channel.CHECKS})
POSTED = frozenset({Channel.CHECKS, Channel.COMMENT})
"""Channels on which something is made once and changed afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A report that somebody tells now; `tries` is the mark by which they know it as theirs, whatever clocks do."""

    id: str
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One report that is to be sent now: to whom, and of what.

    Attributes:
        subject: the pull request of a comment, as `pull/7`.
        remote_id: what the forge calls the check run or comment that is there; None before it is known.
        mark: a word in the comment, by which it is found again.
        failures: the failing tests, where they are told one by one.
    """

    report_id: str
    channel: Channel
    place: str | None
    sealed: str | None = field(repr=False)
    project_id: str
    project: str
    forge: str | None
    repository: str | None
    trigger: str
    ref: str | None
    revision: str | None
    summary: Summary
    subject: str = ""
    remote_id: str | None = None
    mark: str = ""
    failures: tuple[Failure, ...] = ()


def plan_reports(database: Database) -> None:
    """Record what there is to tell of recent runs, each thing once."""
    with database.read() as session:
        if next(_to_plan(session), None) is None:
            return
    with database.write() as session:
        for run, listener, stage, subject in list(_to_plan(session)):
            reason = _why_not(session, run, listener, stage, subject)
            report = Report(
                id=new_id("t"), run_id=run.id, channel=listener.channel, stage=stage, subject=subject
            )
            report.run_finished = run.finished if stage == ENDED else None
            if reason is not None:
                report.state, report.reason, report.finished = ReportState.DONE, reason, now()
            session.add(report)


def take_report(database: Database) -> Taken | None:
    """The next report that is to be sent; None when there is none.

    Nobody else will send it in the next minutes, nor anything else to the same place: what is made there is made once.
    """
    due = select(Report).join(Run, col(Run.id) == col(Report.run_id))
    due = due.where(Report.state == ReportState.WAITING, col(Report.not_before) <= now(), ~_is_busy())
    due = due.order_by(col(Report.not_before)).limit(AT_ONCE)
    with database.read() as session:
        if session.exec(due.limit(1)).first() is None:
            return None
    with database.write() as session:
        for report in session.exec(due).all():
            if _is_overtaken(session, report):
                _drop(report, "the run has ended meanwhile")
            else:
                report.tries += 1
                report.not_before = now() + FIRST_WAIT * 2**report.tries
                report.taken = now()
                return Taken(id=report.id, tries=report.tries)
    return None


def telling_of(database: Database, settings: Settings, report_id: str) -> Telling | None:
    """What a report that was taken is to tell, and whom; None where nobody listens any more."""
    with database.write() as session:
        report = session.get_one(Report, report_id)
        telling = _telling(session, settings, report)
        if telling is None:
            _drop(report, "nobody listens any more")
        return telling


def remember_post(database: Database, telling: Telling, remote_id: str | None) -> None:
    """Keep what the forge calls what was made there; None when it is gone."""
    with database.write() as session:
        post = session.get_one(Post, (telling.project_id, telling.channel, _post_subject(telling)))
        post.remote_id = remote_id


def settle_report(database: Database, taken: Taken, error: FarmError | None) -> None:
    """Say how the sending ended; what failed is tried again, unless it was tried often enough.

    Who answers too slowly stays taken, so that nothing else is told there for a while.
    """
    with database.write() as session:
        report = session.get(Report, taken.id)
        if report is None or report.tries != taken.tries:
            return  # it went with its project, or is somebody else's by now
        if error is None or not error.data.get("slow"):
            report.taken = None
        if error is None:
            report.state, report.reason, report.finished = ReportState.DONE, None, now()
            return
        report.reason = error.sentence
        if report.tries >= MOST_TRIES:
            report.state, report.finished = ReportState.FAILED, now()


def _drop(report: Report, reason: str) -> None:
    report.state, report.reason, report.finished, report.taken = ReportState.DONE, reason, now(), None


def _is_overtaken(session: Session, report: Report) -> bool:
    """Whether it says that a run waits which has ended since: that would come after its end."""
    if report.stage != PENDING:
        return False
    chosen = select(Report.id).where(Report.run_id == report.run_id, Report.channel == report.channel)
    return session.exec(chosen.where(Report.stage == ENDED)).first() is not None


def _is_busy() -> ColumnElement[bool]:
    """Whether somebody tells the listener of a report something right now, or that one is left alone."""
    other, its_run = aliased(Report), aliased(Run)
    chosen = (
        select(other.id)
        .join(its_run, col(its_run.id) == col(other.run_id))
        .where(col(other.channel) == col(Report.channel), col(its_run.project_id) == col(Run.project_id))
        .where(col(other.state) == ReportState.WAITING, col(other.taken) > now() - LONGEST_TELLING)
    )
    return chosen.exists()


def _to_plan(session: Session) -> Iterator[tuple[Run, Listener, str, str]]:
    """Runs of projects with listeners, that these were not told of at their stage; with what it is about."""
    ended, comment = col(Run.state).in_(list(RUN_ENDED)), col(Listener.channel) == Channel.COMMENT
    for stage, where, same in (
        (PENDING, (~ended, col(Listener.channel).in_(list(OF_COMMITS))), col(Report.run_finished).is_(None)),
        (ENDED, (ended, ~comment), col(Report.run_finished) == col(Run.finished)),
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
        for run, listener in session.exec(chosen):
            yield run, listener, stage, ""
    yield from _comments_to_plan(session)


def _comments_to_plan(session: Session) -> Iterator[tuple[Run, Listener, str, str]]:
    """Ended runs that pull requests led to: of one commit a push may have had the run, and the request came later."""
    if session.exec(select(Listener.project_id).where(Listener.channel == Channel.COMMENT)).first() is None:
        return
    told = (
        (col(Report.run_id) == col(Run.id))
        & (col(Report.channel) == Channel.COMMENT)
        & (col(Report.subject) == col(Event.ref))
        & (col(Report.run_finished) == col(Run.finished))
    )
    chosen = (
        select(Run, Listener, Event.ref)
        .join(Listener, col(Listener.project_id) == col(Run.project_id))
        .join(Event, col(Event.run_id) == col(Run.id))
        .outerjoin(Report, told)
        .where(Listener.channel == Channel.COMMENT, col(Run.state).in_(list(RUN_ENDED)))
        .where(Event.state == EventState.DONE, col(Event.ref).like("pull/%"))
        .where(col(Run.created) >= now() - LOOK_BACK, col(Report.id).is_(None))
        .order_by(col(Run.created))
        .limit(AT_ONCE)
    )
    seen = set()
    for run, listener, ref in session.exec(chosen):
        if (run.id, ref) not in seen:
            seen.add((run.id, ref))
            yield run, listener, ENDED, ref or ""


def _why_not(session: Session, run: Run, listener: Listener, stage: str, subject: str) -> str | None:
    """Why there is nothing to tell; None where there is."""
    if listener.channel in OF_COMMITS:
        return None if run.revision else "the run is of no commit"
    if listener.channel is Channel.COMMENT:
        return _why_no_comment(session, run, subject)
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


def _why_no_comment(session: Session, run: Run, subject: str) -> str | None:
    if run.state == RunState.CANCELLED:
        return "the run was cancelled"
    newer = (
        select(Report.id)
        .join(Run, col(Run.id) == col(Report.run_id))
        .where(Report.channel == Channel.COMMENT, Report.subject == subject)
        .where(col(Run.project_id) == run.project_id, col(Run.created) > run.created)
        .where((col(Report.state) != ReportState.DONE) | col(Report.reason).is_(None))
    )
    return "the comment tells of a newer run" if session.exec(newer).first() else None


def _telling(session: Session, settings: Settings, report: Report) -> Telling | None:
    run = session.get_one(Run, report.run_id)
    project = session.get(Project, run.project_id) if run.project_id else None
    listener = session.get(Listener, (run.project_id, report.channel)) if run.project_id else None
    if project is None or listener is None:
        return None
    post = _post(session, project.id, report) if report.channel in POSTED else None
    one_by_one = report.channel is Channel.CHECKS and report.stage == ENDED
    return Telling(
        report_id=report.id,
        channel=report.channel,
        place=listener.place,
        sealed=listener.sealed,
        project_id=project.id,
        project=project.name,
        forge=project.forge,
        repository=project.repository,
        trigger=run.trigger.value,
        ref=run.ref,
        revision=run.revision,
        summary=summary_of(session, settings, run, report.stage),
        subject=report.subject,
        remote_id=post.remote_id if post is not None else None,
        mark=post.mark if post is not None else "",
        failures=failures_of(session, run.id) if one_by_one else (),
    )


def _post(session: Session, project_id: str, report: Report) -> Post:
    """What stands at the forge for this report, recorded before it is made there."""
    key = (project_id, report.channel, report.subject or report.run_id)
    found = session.get(Post, key)
    if found is None:
        found = Post(project_id=key[0], channel=key[1], subject=key[2])
        session.add(found)
        session.flush()
    return found


def _post_subject(telling: Telling) -> str:
    return telling.subject or telling.summary.run_id
