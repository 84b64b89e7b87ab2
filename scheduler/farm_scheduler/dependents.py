"""Dependent jobs: those that are held until their parent has ended well.

Called inside the write transactions of claims, runs and reruns whenever a job ends or is run again. What is released
waits like any other job; what is not ends with the reason, and is held once more when its parent is run again. It never
begins a job.
"""

from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.settlement import reopen_run, settle_run
from farm_scheduler.states import JOB_MOVES, JobState, guard
from farm_scheduler.tables import Cell, Job, Run, now
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


def hold_dependents(session: Session, parent: Job) -> list[str]:
    """Have the jobs wait again that never ran because this one had not ended well; the systems that they need."""
    session.flush()
    never_ran = select(Job).where(
        Job.parent_id == parent.id, Job.state == JobState.FINISHED, col(Job.started).is_(None)
    )
    systems = []
    for job in session.exec(never_ran).all():
        job.state, job.verdict, job.reason, job.finished = JobState.HELD, None, None, None
        run = session.get_one(Run, job.run_id)
        reopen_run(run)
        place(session, run, job, job.system)
        systems += [job.system, *hold_dependents(session, job)]
    return systems


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
