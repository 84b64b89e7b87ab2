"""A job by its id, with its run and its cell.

Called by reruns and shells. It reads, and judges nothing.
"""

from sqlmodel import Session, col, select

from farm_scheduler.errors import NotFoundError
from farm_scheduler.tables import Cell, Job, Run


def find_job(session: Session, job_id: str) -> tuple[Job, Run, Cell]:
    """The three rows.

    Raises:
        NotFoundError: there is no such job.
    """
    found = session.exec(
        select(Job, Run, Cell)
        .join(Run, col(Run.id) == col(Job.run_id))
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .where(Job.id == job_id)
    ).first()
    if found is None:
        sentence = f"there is no job {job_id}; `wheelfarm results RUN --json` names those of a run"
        raise NotFoundError(sentence, job=job_id)
    return found
