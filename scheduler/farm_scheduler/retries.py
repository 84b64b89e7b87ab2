"""Further tries of a job: when there is one, and what the tries mean together.

Called by claims, inside the transaction that ends an attempt. A failure that a fresh machine does not repeat is
`flaky`, never green; the farm's own fault is tried again anyway. It never changes an attempt.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from farm_scheduler.judgement import Judgement
from farm_scheduler.tables import Attempt, Cell, Job, Test
from farm_scheduler.verdicts import Verdict

MAX_ATTEMPTS = 3
"""Tries of a job that end with farm-error, before its job does."""

RETRY_SECONDS = 2.0
"""Wait before the next try after the farm's fault; it doubles with each."""

NAMED = 3
"""Tests that the reason of a flaky job names; its page has all."""

FAILED_STATUSES = ("fail", "uxsuccess")


def tries(session: Session, job: Job) -> list[Attempt]:
    """The attempts of a job since it was last queued by a person, oldest first."""
    chosen = select(Attempt).where(Attempt.job_id == job.id, Attempt.number > job.attempts_before)
    return list(session.exec(chosen.order_by(col(Attempt.number))))


def wait_before_next(session: Session, cell: Cell, done: Sequence[Attempt]) -> float | None:
    """Seconds until the job is tried again, after the last of `done`; None when it is not."""
    verdicts = [attempt.verdict for attempt in done]
    times = verdicts.count(verdicts[-1])
    if verdicts[-1] is Verdict.FARM_ERROR and times < MAX_ATTEMPTS:
        return RETRY_SECONDS * 2.0 ** (times - 1)
    if verdicts[-1] is Verdict.FAILED and times <= cell.retries and _failing(session, done[-1:]):
        return 0.0
    return None


def taken_together(session: Session, done: Sequence[Attempt]) -> Judgement:
    """The judgement of all tries: the last one's, unless an earlier one failed and a later one did not.

    A pass after a failure is `flaky`. The farm's fault after a failure says nothing: the failure stays.
    """
    last = done[-1]
    assert last.verdict is not None, "only attempts that have ended are judged"  # noqa: S101 - an invariant
    failed = [attempt for attempt in done[:-1] if attempt.verdict is Verdict.FAILED]
    if failed and last.verdict is Verdict.PASSED:
        return Judgement(verdict=Verdict.FLAKY, reason=_difference(session, failed, last))
    if failed and last.verdict is Verdict.FARM_ERROR:
        reason = f"{failed[-1].reason}; it could not be tried again ({last.reason})"
        return Judgement(verdict=Verdict.FAILED, reason=reason)
    return Judgement(verdict=last.verdict, reason=last.reason)


def _difference(session: Session, failed: Sequence[Attempt], last: Attempt) -> str:
    names = _failing(session, failed)
    shown = ", ".join(names[:NAMED])
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    numbers = " and ".join(str(attempt.number) for attempt in failed)
    word = "try" if len(failed) == 1 else "tries"
    return f"{shown}{more} failed in {word} {numbers}, and try {last.number} passed"


def _failing(session: Session, attempts: Sequence[Attempt]) -> list[str]:
    """The tests that failed in any of these, once each."""
    chosen = (
        select(Test.environment, Test.name)
        .where(
            col(Test.attempt_id).in_([each.id for each in attempts]), col(Test.status).in_(FAILED_STATUSES)
        )
        .order_by(col(Test.id))
    )
    return list(dict.fromkeys(f"{environment}: {name}" for environment, name in session.exec(chosen)))
