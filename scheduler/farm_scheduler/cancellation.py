"""The end of a run before its time: what is queued never starts, what is at work is told to stop.

Called inside the write transactions of runs and supersession. It never talks to a machine.
"""

from dataclasses import dataclass

from sqlmodel import Session, select

from farm_scheduler.lanes import refresh_lanes
from farm_scheduler.settlement import settle_run
from farm_scheduler.states import JOB_ENDED, JOB_WAITS, RUN_ENDED, RUN_MOVES, JobState, RunState, guard
from farm_scheduler.tables import Job, Run, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a cancellation did.

    Attributes:
        before: the state of the run when it was asked.
        state: the state since then; `cancelling` until the jobs at work have stopped.
        never_start: jobs that waited, and ended with this.
        stopping: jobs at work, which were told to stop, now or before.
        ended: jobs that had ended by themselves, and keep their verdicts.
    """

    run_id: str
    before: RunState
    state: RunState
    never_start: int = 0
    stopping: int = 0
    ended: int = 0


def cancel_run(session: Session, run: Run) -> Cancellation:
    """End a run; cancelling twice, or after the end, changes nothing."""
    before = run.state
    if before in RUN_ENDED:
        return Cancellation(run_id=run.id, before=before, state=before)
    guard(RUN_MOVES, before, RunState.CANCELLING, f"run {run.id}")
    run.state = RunState.CANCELLING
    jobs = session.exec(select(Job).where(Job.run_id == run.id)).all()
    ended = [job for job in jobs if job.state in JOB_ENDED]
    waiting = [job for job in jobs if job.state in JOB_WAITS]
    for job in jobs:
        job.cancel_requested = job.cancel_requested or job not in ended
    for job in waiting:
        job.state, job.finished = JobState.CANCELLED, now()
    refresh_lanes(session, {job.share for job in waiting})
    settle_run(session, run.id)
    return Cancellation(
        run_id=run.id,
        before=before,
        state=run.state,
        never_start=len(waiting),
        stopping=len(jobs) - len(ended) - len(waiting),
        ended=len(ended),
    )
