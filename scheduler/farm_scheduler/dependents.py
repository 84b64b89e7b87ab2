"""Dependent jobs: those that are held until their parent has ended well.

Called inside the write transactions of claims and runs whenever a job ends. What is released waits like any other
job; what is not ends with the reason. It never begins a job.
"""

from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.lanes import enqueue
from farm_scheduler.settlement import settle_run
from farm_scheduler.states import JOB_MOVES, JobState, guard
from farm_scheduler.tables import Cell, Job, now
from farm_scheduler.verdicts import Verdict


def end_dependents(session: Session, parent: Job) -> None:
    """Release the jobs that waited for this one, which has ended; or end them, when it did not end well."""
    session.flush()
    held = session.exec(select(Job).where(Job.parent_id == parent.id, Job.state == JobState.HELD)).all()
    if not held:
        return
    if parent.verdict is not None and parent.verdict.green:
        for job in held:
            guard(JOB_MOVES, job.state, JobState.QUEUED, f"job {job.id}")
            job.state = JobState.QUEUED
        enqueue(session, held)
        return
    reason = _reason(session, parent)
    for job in held:
        _end(session, job, parent, reason)


def released(database: Database, job_id: str) -> list[str]:
    """The systems of the jobs that wait for a machine because this one has ended: each is worth a ticket."""
    with database.read() as session:
        chosen = select(Job.system).where(Job.parent_id == job_id, Job.state == JobState.QUEUED)
        return list(session.exec(chosen))


def _end(session: Session, job: Job, parent: Job, reason: str) -> None:
    """Whoever was cancelled takes its dependents with it; the farm's fault stays the farm's."""
    end = JobState.CANCELLED if parent.state == JobState.CANCELLED else JobState.FINISHED
    guard(JOB_MOVES, job.state, end, f"job {job.id}")
    job.state, job.finished, job.reason = end, now(), reason
    if end is JobState.FINISHED:
        fault = parent.verdict is Verdict.FARM_ERROR
        job.verdict = Verdict.FARM_ERROR if fault else Verdict.BUILD_FAILED
    end_dependents(session, job)
    if job.run_id != parent.run_id:
        settle_run(session, job.run_id)


def _reason(session: Session, parent: Job) -> str:
    label = session.exec(select(Cell.label).where(col(Cell.id) == parent.cell_id)).one()
    word = parent.verdict.value if parent.verdict is not None else "cancelled"
    said = f": {parent.reason}" if parent.reason and parent.verdict is not None else ""
    return f"it needs what {label} ({parent.id}) makes, and that ended as {word}{said}"
