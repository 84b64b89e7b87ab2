"""`/runs`: started, listed, read, cancelled; and `/submissions`, the wishes for them.

Included by application. The source of a run is fetched and checked by a worker, never here: what is asked for is
recorded and answered with 202.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from sqlmodel import Session, col, select

from farm_api.v1.callers import Reader, Submitter
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_run
from farm_api.v1.shapes import NAME, After, Cell, Limit, Page, Report, Run, RunId
from farm_api.v1.wishes import Cancellation, NewRun, Submission
from farm_scheduler import access_tables, runs, submissions, tables
from farm_scheduler.engine import publish_submission
from farm_scheduler.errors import AccessError, EngineError
from farm_scheduler.identifiers import new_id
from farm_scheduler.plan import Narrowing
from farm_scheduler.project_names import of_project, within_reach
from farm_scheduler.record_pages import read_page
from farm_scheduler.roles import Caller, Role
from farm_scheduler.run_report import read_report
from farm_scheduler.states import RunState

router = APIRouter(tags=["runs"], route_class=Door)

ProjectFilter = Annotated[str | None, Query(pattern=NAME, description="Only runs of this project.")]
Failing = Annotated[int, Query(ge=0, le=1000, description="Failing tests of each cell, at most.")]


class RunPage(Page[Run]):
    """A page of runs."""


class CellPage(Page[Cell]):
    """A page of cells."""


@router.get("/runs", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_runs(
    caller: Reader,
    house: TheHouse,
    *,
    project: ProjectFilter = None,
    state: RunState | None = None,
    failed: Annotated[bool, Query(description="Only those that ended otherwise than expected.")] = False,
    after: After = None,
    limit: Limit = 50,
) -> RunPage:
    """The runs, newest first."""
    chosen = select(tables.Run)
    if project is not None:
        chosen = chosen.where(of_project(project))
    if caller.project is not None:
        chosen = chosen.where(within_reach(caller.project))
    if state is not None:
        chosen = chosen.where(tables.Run.state == state)
    if failed:
        chosen = chosen.where(col(tables.Run.exit_code).is_not(None), tables.Run.exit_code != 0)
    keys = [col(tables.Run.created), col(tables.Run.id)]
    with house.database.read() as session:
        page = read_page(session, chosen, keys, after=after, limit=limit, descending=True)
        return RunPage.model_validate({"items": page.rows, "next": page.next})


@router.post("/runs", status_code=202, dependencies=REPEATABLE, responses=responses(404, 409, 413))
def start_run(
    caller: Submitter, house: TheHouse, request: Request, response: Response, wish: NewRun
) -> Submission:
    """Ask for a run of a release, a repository, or a file that was uploaded.

    The answer comes before anything was fetched: `/submissions/ID` says when the run is there, under the same id, or
    why it was refused.
    """
    row = access_tables.Submission(
        id=getattr(request.state, "reserved", None) or new_id("r"),
        actor=caller.actor,
        scope=caller.project,
        target=wish.target,
        upload_id=wish.upload,
        narrowing=_narrowing(wish).document(),
        retries=wish.retries,
        priority=wish.priority,
    )
    with house.database.write() as session:
        row = submissions.ask(session, house.settings, caller, row)
    _publish(house, row.id)
    response.headers["Location"] = f"{request.scope['root_path']}/submissions/{row.id}"
    return Submission.model_validate(row)


def _narrowing(wish: NewRun) -> Narrowing:
    return Narrowing(
        pythons=wish.pythons,
        systems=wish.systems,
        installers=tuple(dict.fromkeys(wish.installers)),
        constraints=wish.constraints,
        cutoff=wish.cutoff,
    )


def _publish(house: TheHouse, submission_id: str) -> None:
    try:
        publish_submission(house.engine, submission_id)
    except EngineError:
        # It is recorded, and the sweep sends its message as soon as the queue is back.
        return


@router.get("/submissions/{run}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_submission(caller: Reader, house: TheHouse, run: RunId) -> Submission:
    """The wish for a run: whether its source is fetched, and why it was refused."""
    with house.database.read() as session:
        row = submissions.find_submission(session, run)
        if caller.project is not None and row.scope != caller.project:
            find_run(session, caller, run)
        return Submission.model_validate(row)


@router.get("/runs/{run}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_run(caller: Reader, house: TheHouse, run: RunId) -> Run:
    """One run."""
    with house.database.read() as session:
        return Run.model_validate(find_run(session, caller, run))


@router.get("/runs/{run}/report", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_report(caller: Reader, house: TheHouse, run: RunId, failing: Failing = 20) -> Report:
    """A run with its cells, verdicts, counts and failing tests, as people see it."""
    with house.database.read() as session:
        find_run(session, caller, run)
        return Report.model_validate(read_report(session, run, failing=failing))


@router.get("/runs/{run}/cells", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_cells(
    caller: Reader, house: TheHouse, run: RunId, after: After = None, limit: Limit = 100
) -> CellPage:
    """The cells of a run, in the order in which people see them."""
    with house.database.read() as session:
        find_run(session, caller, run)
        chosen = select(tables.Cell).where(tables.Cell.run_id == run)
        page = read_page(session, chosen, [col(tables.Cell.position)], after=after, limit=limit)
        return CellPage.model_validate({"items": page.rows, "next": page.next})


@router.post("/runs/{run}/cancel", dependencies=REPEATABLE, responses=responses(404, 409, 413))
def cancel_run(caller: Submitter, house: TheHouse, run: RunId) -> Cancellation:
    """End a run: what waits never starts, what is at work is stopped. Cancelling twice changes nothing.

    A run whose source is still being fetched is withdrawn.
    """
    with house.database.write() as session:
        if submissions.withdraw(session, caller, run):
            check_own(session, caller, run)
            return Cancellation(
                run_id=run,
                before=RunState.PLANNED,
                state=RunState.CANCELLED,
                never_start=0,
                stopping=0,
                ended=0,
            )
        find_run(session, caller, run)
        check_own(session, caller, run)
    return Cancellation.model_validate(runs.cancel(house.database, run, caller))


def check_own(session: Session, caller: Caller, run_id: str) -> None:
    """Submitters change what they have started; maintainers and admins what they reach.

    Raises:
        AccessError: the run is somebody else's.
    """
    if caller.may(Role.MAINTAINER):
        return
    wish = session.get(access_tables.Submission, run_id)
    if wish is None or wish.actor != caller.actor:
        raise AccessError(f"run {run_id} was started by somebody else; ask a maintainer", run=run_id)
