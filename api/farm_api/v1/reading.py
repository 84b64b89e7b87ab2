"""Rows of the record for a caller: found by id, and hidden when they are another project's than the token's.

Called by the routers. It reads and never writes.
"""

from sqlmodel import Session, select

from farm_api.v1.callers import unseen
from farm_scheduler.errors import NotFoundError
from farm_scheduler.job_lookup import find_job
from farm_scheduler.project_names import within_reach
from farm_scheduler.roles import Caller
from farm_scheduler.tables import Attempt, Cell, Job, Run


def find_run(session: Session, caller: Caller, run_id: str) -> Run:
    """A run that the caller may see.

    Raises:
        NotFoundError: there is none.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}", run=run_id)
    _check_reach(session, caller, run_id, f"run {run_id}")
    return run


def find_cell(session: Session, caller: Caller, cell_id: str) -> Cell:
    """A cell of such a run. Raises NotFoundError."""
    cell = session.get(Cell, cell_id)
    if cell is None:
        raise NotFoundError(f"there is no cell {cell_id}", cell=cell_id)
    find_run(session, caller, cell.run_id)
    return cell


def find_visible_job(session: Session, caller: Caller, job_id: str) -> tuple[Job, Run]:
    """A job of such a run. Raises NotFoundError."""
    job, run, _ = find_job(session, job_id)
    _check_reach(session, caller, run.id, f"job {job_id}")
    return job, run


def find_attempt(session: Session, caller: Caller, attempt_id: str) -> Attempt:
    """An attempt of such a job. Raises NotFoundError."""
    attempt = session.get(Attempt, attempt_id)
    if attempt is None:
        raise NotFoundError(f"there is no attempt {attempt_id}", attempt=attempt_id)
    find_visible_job(session, caller, attempt.job_id)
    return attempt


def _check_reach(session: Session, caller: Caller, run_id: str, what: str) -> None:
    if caller.project is None:
        return
    seen = select(Run.id).where(Run.id == run_id, within_reach(caller.project))
    if session.exec(seen).first() is None:
        raise unseen(what)
