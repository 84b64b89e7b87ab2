"""How long a job will take: from its last runs, or a guess.

Called by runs when jobs are made. It reads the record and never writes it.
"""

from sqlmodel import Session, col, select

from farm_scheduler.plan import PlannedCell
from farm_scheduler.states import JobState
from farm_scheduler.tables import Cell, Job, Run

GUESS_SECONDS = 60.0
"""Per environment, for a project that never ran here."""


def expected_seconds(session: Session, project: str, cell: PlannedCell) -> float:
    """Seconds of the last finished job of the same cell of this project; else a guess by environments."""
    last = session.exec(
        select(Job)
        .join(Cell, col(Cell.id) == col(Job.cell_id))
        .join(Run, col(Run.id) == col(Job.run_id))
        .where(Run.project == project, Cell.label == cell.label, Job.state == JobState.FINISHED)
        .order_by(col(Job.finished).desc())
        .limit(1)
    ).first()
    if last is not None and last.started is not None and last.finished is not None:
        return max(1.0, (last.finished - last.started).total_seconds())
    return GUESS_SECONDS * len(cell.environments)
