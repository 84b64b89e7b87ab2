"""The end of a run: when it has ended, and with which exit code; and its opening again.

Called inside the write transactions of claims, runs and reruns whenever a job ends or is run again. It never looks at
tests or streams: verdicts are all it needs.
"""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from farm_scheduler.states import JOB_ENDED, RUN_ENDED, RUN_MOVES, JobState, RunState, guard
from farm_scheduler.tables import Cell, Job, Run, now
from farm_scheduler.verdicts import Verdict

AS_EXPECTED, NOT_AS_EXPECTED, FARMS_FAULT, CANCELLED = 0, 1, 3, 130

TOLERATED = frozenset({Verdict.NO_TESTS, Verdict.UNSUPPORTED})
"""Verdicts of a cell that do not fail a run in which something else ran."""

EXPECTED = frozenset({Verdict.PASSED, Verdict.BUILT, Verdict.EXPECTED_FAILURE})


def settle_run(session: Session, run_id: str) -> None:
    """End the run if its last job has ended; otherwise nothing."""
    session.flush()
    run = session.get(Run, run_id)
    if run is None or run.state in RUN_ENDED:
        return
    unended = select(Job.id).where(Job.run_id == run_id, col(Job.state).not_in(sorted(JOB_ENDED))).limit(1)
    if session.exec(unended).first() is not None:
        return
    jobs = session.exec(
        select(Job, Cell).join(Cell, col(Cell.id) == col(Job.cell_id)).where(Job.run_id == run_id)
    )
    pairs = list(jobs)
    cancelled = run.state == RunState.CANCELLING or any(job.state == JobState.CANCELLED for job, _ in pairs)
    if cancelled and run.state != RunState.CANCELLING:
        guard(RUN_MOVES, run.state, RunState.CANCELLING, f"run {run.id}")
        run.state = RunState.CANCELLING
    end = RunState.CANCELLED if cancelled else RunState.FINISHED
    guard(RUN_MOVES, run.state, end, f"run {run.id}")
    run.state, run.finished = end, now()
    outcomes = [(cell.expected, job.verdict) for job, cell in pairs if job.verdict is not None]
    run.exit_code = CANCELLED if cancelled else exit_code(outcomes)


def reopen_run(run: Run) -> None:
    """Open a run that has ended; one that has not stays as it is."""
    if run.state in RUN_ENDED:
        run.state, run.reopened, run.finished, run.exit_code = RunState.QUEUED, now(), None, None


def exit_code(outcomes: Sequence[tuple[Verdict, Verdict]]) -> int:
    """The exit code of a finished run from (expected, found) of each cell.

    0: every cell is as expected, and something ran. 1: a cell is not, or nothing ran. 3: but for the farm's own
    fault in a cell, all would be as expected.
    """
    bad = [found for expected, found in outcomes if not _as_expected(expected, found)]
    if any(found not in TOLERATED | {Verdict.FARM_ERROR} for found in bad):
        return NOT_AS_EXPECTED
    if Verdict.FARM_ERROR in bad:
        return FARMS_FAULT
    ran = any(found not in TOLERATED for _, found in outcomes)
    declared = bool(outcomes) and not bad
    return AS_EXPECTED if ran or declared else NOT_AS_EXPECTED


def _as_expected(expected: Verdict, found: Verdict) -> bool:
    return found == expected or (expected is Verdict.PASSED and found in EXPECTED)
