"""Reruns: a job that has ended waits for a new attempt, in the run that it belongs to.

Called by the doors. Source, environments and kind of image stay those of the run; attempts, their evidence and their
verdicts stay as they are. Messages go out after the commit. It never makes a new plan and never changes an attempt.
"""

from celery import Celery
from sqlmodel import Session, func, select

from farm_scheduler.audit import note_change
from farm_scheduler.database import Database
from farm_scheduler.dependents import hold_dependents
from farm_scheduler.engine import publish_tickets
from farm_scheduler.errors import RerunError
from farm_scheduler.job_lookup import find_job
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.project_names import name_of
from farm_scheduler.roles import Caller
from farm_scheduler.runs import ask_for_images
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import reopen_run
from farm_scheduler.sources import source_path
from farm_scheduler.states import JOB_ENDED, RUN_ENDED, ImageState, JobState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Run


def run_to_reopen(database: Database, settings: Settings, job_id: str) -> str:
    """The run that a rerun of this job would open again; changes nothing.

    Raises:
        NotFoundError: there is no such job.
        RerunError: it cannot be run again now, or not any more.
    """
    with database.read() as session:
        _, run, _ = _check(session, settings, job_id)
        return run.id


def rerun(
    database: Database, app: Celery, settings: Settings, job_id: str, *, caller: Caller | None = None
) -> Run:
    """Queue a job that has ended once more, and open its run again until it is done.

    The jobs that never ran because it had not ended well wait for it again. An image that is not there any more is
    baked first: the job waits for it. `caller` is noted in the audit log.

    Raises:
        NotFoundError: there is no such job.
        RerunError: it cannot be run again now, or not any more; nothing was changed.
        EngineError: Redis does not answer; the job is queued, and the sweep will find it.
    """
    with database.write() as session:
        job, run, cell = _check(session, settings, job_id)
        reopen_run(run)
        _queue_again(session, job)
        place(session, run, job, cell.system)
        enqueue(session, [job])
        if caller is not None:
            note_change(session, caller, "job.rerun", job.id, project=name_of(session, run))
        systems = {cell.system, *hold_dependents(session, job)}
        ready = set(session.exec(select(Image.name).where(Image.state == ImageState.READY)))
    if cell.system in ready:
        publish_tickets(app, settings.host_kinds.count([cell.system]))
    if systems - ready:
        ask_for_images(database, app, settings, sorted(systems - ready))
    return run


def _check(session: Session, settings: Settings, job_id: str) -> tuple[Job, Run, Cell]:
    job, run, cell = find_job(session, job_id)
    if job.state not in JOB_ENDED:
        sentence = f"job {job_id} is {job.state.value}; it can be run again when it has ended"
        raise RerunError(sentence, job=job_id, state=job.state.value)
    if run.state not in RUN_ENDED:
        sentence = f"job {job_id} has ended, but its run {run.id} is {run.state.value}; wait for its end, or cancel it"
        raise RerunError(sentence, job=job_id, run=run.id, state=run.state.value)
    parent = session.get(Job, job.parent_id) if job.parent_id is not None else None
    if parent is not None and (parent.verdict is None or not parent.verdict.green):
        sentence = (
            f"job {job_id} needs what job {parent.id} makes, which did not end well; run that one again first"
        )
        raise RerunError(sentence, job=job_id, parent=parent.id)
    if job.verdict is not None and job.started is None and parent is None:
        sentence = f"job {job_id} was never run ({job.reason or job.verdict.value}), so there is nothing to run again"
        raise RerunError(sentence, job=job_id, run=run.id)
    if not source_path(settings, run.source_sha256).is_file():
        sentence = f"the source of run {run.id} was removed; start a new one: wheelfarm run {run.target}"
        raise RerunError(sentence, job=job_id, run=run.id)
    return job, run, cell


def _queue_again(session: Session, job: Job) -> None:
    before = session.exec(select(func.count()).select_from(Attempt).where(Attempt.job_id == job.id)).one()
    job.attempts_before = before
    job.state, job.verdict, job.reason, job.cancel_requested = JobState.QUEUED, None, None, False
    job.started = job.finished = job.not_before = None
    job.now = job.left_seconds = None
    job.tests_passed = job.tests_failed = job.tests_skipped = job.tests_other = job.tests_total = 0
