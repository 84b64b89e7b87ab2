"""`/jobs/JOB/set` and `/jobs/JOB/compare/OTHER`: what jobs had installed, and what differs.

Included by application. It tells what the record has; nothing is compared or judged here.
"""

from fastapi import APIRouter

from farm_api.v1.callers import Reader
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_visible_job
from farm_api.v1.set_shapes import JobSet, SetComparison
from farm_api.v1.shapes import JobId
from farm_scheduler.installed_sets import read_sets
from farm_scheduler.set_comparison import compare

router = APIRouter(tags=["jobs"], route_class=Door)


@router.get("/jobs/{job}/set", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_job_set(caller: Reader, house: TheHouse, job: JobId) -> JobSet:
    """What a job had installed in each environment, and the files that its machine fetched."""
    with house.database.read() as session:
        find_visible_job(session, caller, job)
        return JobSet.model_validate(read_sets(session, job))


@router.get(
    "/jobs/{job}/compare/{other}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)}
)
def compare_jobs(caller: Reader, house: TheHouse, job: JobId, other: JobId) -> SetComparison:
    """What differs between what two jobs had installed: `before` is the first job's, `after` the other's."""
    with house.database.read() as session:
        for each in (job, other):
            find_visible_job(session, caller, each)
        return SetComparison.model_validate(compare(read_sets(session, job), read_sets(session, other)))
