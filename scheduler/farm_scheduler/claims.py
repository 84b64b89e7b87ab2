"""Claims: a worker takes the best queued job, and hands it back with an end.

Called by the workers' tasks. Every change is one short write transaction, guarded by the tables of states, and
by the attempt that makes it: an attempt whose lease has expired can change nothing any more. It never talks to
a machine or to the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import Connection, bindparam, insert, or_, update
from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.dependents import end_dependents
from farm_scheduler.errors import StateError
from farm_scheduler.expectation import against_expectation
from farm_scheduler.host_kinds import EVERY_SYSTEM, Served
from farm_scheduler.installers import Installer
from farm_scheduler.judgement import Judgement
from farm_scheduler.lanes import enqueue, refresh_lane
from farm_scheduler.retries import taken_together, tries, wait_before_next
from farm_scheduler.settlement import settle_run
from farm_scheduler.shares import charge, set_tag, settle_work
from farm_scheduler.states import (
    ATTEMPT_MOVES,
    JOB_AT_WORK,
    JOB_MOVES,
    RUN_MOVES,
    AttemptState,
    JobState,
    RunState,
    guard,
)
from farm_scheduler.tables import Attempt, Cell, Job, Run, now
from farm_scheduler.turns import Turn, next_turn
from farm_scheduler.verdicts import Verdict

LEASE = update(Job).where(col(Job.id) == bindparam("leased_job"))
ATTEMPT = insert(Attempt)
BEGIN_RUN = update(Run).where(col(Run.id) == bindparam("begun_run"))


class Standing(Enum):
    """Whether an attempt is still wanted."""

    WANTED = "wanted"
    CANCELLED = "cancelled"
    LOST = "lost"
    """Its lease expired, or its job has moved on: whatever it says is too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job that this worker has, with all that is needed to run it.

    Attributes:
        number: of the attempt, from 1.
        expected_seconds: how long such a job takes, as far as the farm knows.
        limit_seconds: the time limit that the project declares; None for the farm's own.
        packages: of the system, which the machine installs first.
        installer: what decides which releases are installed, by `constraints` if those decide.
        cutoff: files that came to the index later do not exist for the job.
    """

    job_id: str
    attempt_id: str
    run_id: str
    number: int
    system: str
    environments: tuple[str, ...]
    tool: str
    variables: Mapping[str, str]
    inferred: str | None
    source_sha256: str
    expected_seconds: float
    limit_seconds: float | None = None
    packages: tuple[str, ...] = ()
    installer: Installer = Installer.PROJECT
    constraints: tuple[str, ...] = ()
    cutoff: datetime | None = None


def claim_job(
    database: Database, *, worker: str, lease_seconds: float, served: Served = EVERY_SYSTEM
) -> Claim | None:
    """Take the job whose turn it is: of the project that had least for its weight, the longest of its oldest run.

    Only jobs of the systems that the worker's host serves. Returns None when nothing can be done now. The lease must be
    renewed within `lease_seconds`.
    """
    with database.claim_connection() as connection:
        moment = now()
        turn = next_turn(connection, moment, served=served)
        if turn is None:
            return None
        return _claim(turn, _begin(connection, turn, worker, moment, lease_seconds))


def _begin(connection: Connection, turn: Turn, worker: str, moment: datetime, lease_seconds: float) -> str:
    """Write the attempt, and charge its share; the id of the attempt."""
    row = turn.row
    guard(JOB_MOVES, JobState.QUEUED, JobState.LEASED, f"job {row.job_id}")
    connection.execute(
        LEASE, {"leased_job": row.job_id, "state": JobState.LEASED, "started": row.started or moment}
    )
    attempt = Attempt(
        job_id=row.job_id,
        number=turn.attempts + 1,
        worker=worker,
        leased=moment,
        lease_expires=moment + timedelta(seconds=lease_seconds),
    )
    connection.execute(ATTEMPT, attempt.model_dump())
    if row.run_state == RunState.QUEUED:
        guard(RUN_MOVES, row.run_state, RunState.RUNNING, f"run {row.run_id}")
        connection.execute(BEGIN_RUN, {"begun_run": row.run_id, "state": RunState.RUNNING})
    start, tag = charge(turn.tag, turn.farm, row.expected_seconds, turn.weight)
    set_tag(connection, turn.share, tag, served=start)
    refresh_lane(connection, turn.share, row.system)
    return attempt.id


def _claim(turn: Turn, attempt_id: str) -> Claim:
    row = turn.row
    return Claim(
        job_id=row.job_id,
        attempt_id=attempt_id,
        run_id=row.run_id,
        number=turn.attempts + 1,
        system=row.system,
        environments=tuple(row.environments),
        tool=row.tool,
        variables=dict(row.variables),
        inferred=row.inferred_config,
        source_sha256=row.source_sha256,
        expected_seconds=row.expected_seconds,
        limit_seconds=row.seconds,
        packages=tuple(row.packages),
        installer=row.installer,
        constraints=tuple(row.constraints),
        cutoff=row.cutoff,
    )


def move(database: Database, claim: Claim, state: JobState, **facts: object) -> None:
    """Bring job and attempt to the next state together, with facts for the attempt (`machine`, `warm`, …).

    Raises:
        StateError: the move is not allowed, or the attempt has lost its job.
    """
    with database.write_together() as session:
        job, attempt = _owned(session, claim)
        guard(JOB_MOVES, job.state, state, f"job {job.id}")
        there = AttemptState(state.value)
        guard(ATTEMPT_MOVES, attempt.state, there, f"attempt {attempt.id}")
        job.state, attempt.state = state, there
        for name, value in facts.items():
            setattr(attempt, name, value)


def renew(database: Database, claim: Claim, *, lease_seconds: float) -> Standing:
    """Say that the attempt lives, and ask whether it is still wanted."""
    with database.write_together() as session:
        try:
            job, attempt = _owned(session, claim)
        except StateError:
            return Standing.LOST
        attempt.lease_expires = now() + timedelta(seconds=lease_seconds)
        return Standing.CANCELLED if job.cancel_requested else Standing.WANTED


def finish(
    database: Database, claim: Claim, judgement: Judgement, *, seconds: Mapping[str, float] | None = None
) -> bool:
    """End the attempt with a verdict; the job ends with it, or waits for another try.

    Returns whether the job waits again. An attempt that has lost its job changes nothing.
    """
    with database.write() as session:
        try:
            job, attempt = _owned(session, claim)
        except StateError:
            return False
        attempt.seconds = {**attempt.seconds, **(seconds or {})}
        return end_attempt(session, job, attempt, judgement)


def give_up(database: Database, claim: Claim) -> None:
    """End a cancelled attempt, and its job."""
    with database.write() as session:
        try:
            job, attempt = _owned(session, claim)
        except StateError:
            return
        attempt.state, attempt.finished = AttemptState.CANCELLED, now()
        attempt.lease_expires = None
        settle_work(session, job, attempt)
        job.state, job.finished, job.now = JobState.CANCELLED, now(), None
        end_dependents(session, job)
        settle_run(session, job.run_id)


def expire_attempts(database: Database, *, dead_workers: frozenset[str] = frozenset()) -> int:
    """End the attempts whose worker does not renew any more, or is known to be dead; returns how many."""
    with database.write() as session:
        found = session.exec(
            select(Attempt, Job)
            .join(Job, col(Job.id) == col(Attempt.job_id))
            .where(col(Job.state).in_(list(JOB_AT_WORK)), col(Attempt.finished).is_(None))
            .where(or_(col(Attempt.lease_expires) < now(), col(Attempt.worker).in_(dead_workers)))
        ).all()
        for attempt, job in found:
            reason = f"the worker {attempt.worker} stopped in the middle of the job"
            end_attempt(session, job, attempt, Judgement(verdict=Verdict.FARM_ERROR, reason=reason))
        return len(found)


def end_attempt(session: Session, job: Job, attempt: Attempt, judgement: Judgement) -> bool:
    """Write the end of an attempt; returns whether its job waits again."""
    attempt.state, attempt.finished, attempt.lease_expires = AttemptState.FINISHED, now(), None
    attempt.verdict, attempt.reason = judgement.verdict, judgement.reason
    job.now, job.left_seconds = None, None
    session.flush()
    settle_work(session, job, attempt)
    cell, done = session.get_one(Cell, job.cell_id), tries(session, job)
    wait = wait_before_next(session, cell, done)
    if wait is not None and not job.cancel_requested:
        guard(JOB_MOVES, job.state, JobState.QUEUED, f"job {job.id}")
        job.state = JobState.QUEUED
        job.not_before = now() + timedelta(seconds=wait)
        job.tests_passed = job.tests_failed = job.tests_skipped = job.tests_other = job.tests_total = 0
        enqueue(session, [job])
        return True
    end = JobState.CANCELLED if wait is not None else JobState.FINISHED
    guard(JOB_MOVES, job.state, end, f"job {job.id}")
    job.state, job.finished = end, now()
    if end is JobState.FINISHED:
        against = against_expectation(taken_together(session, done), cell.expected, cell.expected_reason)
        job.verdict, job.reason = against.verdict, against.reason
    end_dependents(session, job)
    settle_run(session, job.run_id)
    return False


def _owned(session: Session, claim: Claim) -> tuple[Job, Attempt]:
    job, attempt = session.get(Job, claim.job_id), session.get(Attempt, claim.attempt_id)
    if job is None or attempt is None or attempt.finished is not None or job.state not in JOB_AT_WORK:
        sentence = f"attempt {claim.attempt_id} has lost its job {claim.job_id}; nothing of it is recorded"
        raise StateError(sentence, job=claim.job_id, attempt=claim.attempt_id)
    return job, attempt


def standing_of(database: Database, claim: Claim) -> Standing:
    """Whether the attempt is still wanted; reads only."""
    with database.read() as session:
        try:
            job, _ = _owned(session, claim)
        except StateError:
            return Standing.LOST
        return Standing.CANCELLED if job.cancel_requested else Standing.WANTED
