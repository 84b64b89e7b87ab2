"""`/cells`, `/jobs` and `/queue`: the work of a run, cell by cell, and what waits.

Included by application. Which job goes next is the scheduler's to say; nothing is decided here.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlmodel import col, select

from farm_api.v1.callers import Reader, Submitter
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_cell, find_run, find_visible_job
from farm_api.v1.runs import ProjectFilter, check_own
from farm_api.v1.shapes import (
    After,
    Attempt,
    Cell,
    CellId,
    Job,
    JobId,
    Limit,
    Page,
    Queue,
    Run,
    RunId,
    WaitingJob,
)
from farm_scheduler import reruns, tables, waiting
from farm_scheduler.record_pages import read_page
from farm_scheduler.states import JobState
from farm_scheduler.verdicts import Verdict
from farm_scheduler.waiting import read_queue

router = APIRouter(tags=["jobs"], route_class=Door)


class JobPage(Page[Job]):
    """A page of jobs."""


class AttemptPage(Page[Attempt]):
    """A page of attempts."""


@router.get("/cells/{cell}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_cell(caller: Reader, house: TheHouse, cell: CellId) -> Cell:
    """One cell."""
    with house.database.read() as session:
        return Cell.model_validate(find_cell(session, caller, cell))


@router.get("/runs/{run}/jobs", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_jobs(
    caller: Reader,
    house: TheHouse,
    run: RunId,
    *,
    state: JobState | None = None,
    verdict: Annotated[Verdict | None, Query(description="Only jobs that ended so.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> JobPage:
    """The jobs of a run."""
    with house.database.read() as session:
        find_run(session, caller, run)
        chosen = select(tables.Job).where(tables.Job.run_id == run)
        if state is not None:
            chosen = chosen.where(tables.Job.state == state)
        if verdict is not None:
            chosen = chosen.where(tables.Job.verdict == verdict)
        page = read_page(session, chosen, [col(tables.Job.id)], after=after, limit=limit)
        return JobPage.model_validate({"items": page.rows, "next": page.next})


@router.get("/jobs/{job}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_job(caller: Reader, house: TheHouse, job: JobId) -> Job:
    """One job."""
    with house.database.read() as session:
        return Job.model_validate(find_visible_job(session, caller, job)[0])


@router.get("/jobs/{job}/attempts", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_attempts(
    caller: Reader, house: TheHouse, job: JobId, after: After = None, limit: Limit = 100
) -> AttemptPage:
    """The tries of a job, newest first."""
    with house.database.read() as session:
        find_visible_job(session, caller, job)
        chosen = select(tables.Attempt).where(tables.Attempt.job_id == job)
        keys = [col(tables.Attempt.number)]
        page = read_page(session, chosen, keys, after=after, limit=limit, descending=True)
        return AttemptPage.model_validate({"items": page.rows, "next": page.next})


@router.post(
    "/jobs/{job}/rerun", status_code=202, dependencies=REPEATABLE, responses=responses(404, 409, 413)
)
def rerun_job(caller: Submitter, house: TheHouse, job: JobId) -> Run:
    """Run a job that has ended once more; its run is open again. The answer is the run."""
    with house.database.read() as session:
        _, run = find_visible_job(session, caller, job)
        check_own(session, caller, run.id)
    reopened = reruns.rerun(house.database, house.engine, house.settings, job, caller=caller)
    return Run.model_validate(reopened)


@router.get("/queue", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_queue(caller: Reader, house: TheHouse, project: ProjectFilter = None, limit: Limit = 100) -> Queue:
    """The jobs that wait, in the order in which they are likely to begin; why each waits, and for how long.

    The order changes with every job that begins, so there is no next page: `waiting` counts those that are not shown.
    """
    with house.database.read() as session:
        found = read_queue(session, house.settings, most=limit, project=project, scope=caller.project)
    return Queue(
        machines=found.machines,
        at_work=found.at_work,
        waiting=found.waiting,
        jobs=[_waiting(job) for job in found.jobs],
    )


def _waiting(job: waiting.WaitingJob) -> WaitingJob:
    return WaitingJob(
        job_id=job.job_id,
        run_id=job.run_id,
        project=job.project,
        label=job.label,
        system=job.system,
        trigger=job.trigger,
        priority=job.priority,
        created=job.created,
        wait=job.wait,
        reason=job.sentence,
        starts_in_seconds=job.seconds,
        expected_seconds=job.expected_seconds,
    )
