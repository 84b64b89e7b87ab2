"""How long a job will take: from its last runs, or a guess.

Called by runs when jobs are made. It reads the record and never writes it.
"""

from sqlmodel import Session, col, select

from farm_scheduler.plan import PlannedCell
from farm_scheduler.states import JobState
from farm_scheduler.tables import Cell, Job, Run

GUESS_SECONDS = 60.0
"""Per environment, for a project that never ran here."""

RUNS_READ = 10
"""The newest runs of a project that are looked at: what they did not run is guessed."""


class Durations:
    """What the newest runs of a project tell, read at once for all of its cells."""

    def __init__(self, session: Session, project: str) -> None:
        newest = (
            select(Run.id).where(Run.project == project).order_by(col(Run.created).desc()).limit(RUNS_READ)
        )
        rows = session.exec(
            select(Cell.label, Job.started, Job.finished)
            .join(Cell, col(Cell.id) == col(Job.cell_id))
            .where(col(Job.run_id).in_(session.exec(newest).all()), Job.state == JobState.FINISHED)
            .order_by(col(Job.finished))
        )
        self._seconds = {
            label: (finished - started).total_seconds()
            for label, started, finished in rows
            if started is not None and finished is not None
        }

    def expected(self, cell: PlannedCell) -> float:
        """Seconds of the last finished job of the same cell of this project; else a guess by environments."""
        seconds = self._seconds.get(cell.label)
        return GUESS_SECONDS * len(cell.environments) if seconds is None else max(1.0, seconds)
