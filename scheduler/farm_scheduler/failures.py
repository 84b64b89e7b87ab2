"""The failing tests of a run, as forges are told of them: which, where, and the end of what they said.

Called by feedback. Only the last try of each job counts. It decides nothing and changes nothing.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from farm_scheduler.failure_places import Place, place_of
from farm_scheduler.guest_text import clean_line, tail
from farm_scheduler.tables import Attempt, Cell, Job, Test

MOST_FAILURES = 200
LINES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A test that failed in one cell.

    Attributes:
        cell: the cell's label, as `py3.12 · debian-12`.
        place: the line, where the evidence tells it.
        message: the last lines of what it said.
    """

    cell: str
    name: str
    place: Place | None
    message: str


def failures_of(session: Session, run_id: str) -> tuple[Failure, ...]:
    """The first failing tests of a run, in the order of its cells."""
    last = select(func.max(Attempt.number)).where(col(Attempt.job_id) == col(Job.id)).correlate(Job)
    chosen = (
        select(Cell.label, Test.name, Test.message)
        .join(Job, col(Job.cell_id) == col(Cell.id))
        .join(Attempt, col(Attempt.job_id) == col(Job.id))
        .join(Test, col(Test.attempt_id) == col(Attempt.id))
        .where(Cell.run_id == run_id, Test.status == "fail", col(Attempt.number) == last.scalar_subquery())
        .order_by(col(Cell.position), col(Test.position))
        .limit(MOST_FAILURES)
    )
    return tuple(
        Failure(
            cell=clean_line(label),
            name=clean_line(name),
            place=place_of(name, message),
            message=tail(message or "", LINES),
        )
        for label, name, message in session.exec(chosen)
    )
