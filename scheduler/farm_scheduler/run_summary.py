"""A run in a few words, as forges, webhooks and people are told of it.

Called by feedback. It reads the record and writes nothing; what guests wrote is cleaned here.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from farm_scheduler.guest_text import clean_line
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import AS_EXPECTED, FARMS_FAULT
from farm_scheduler.states import RunState
from farm_scheduler.tables import Attempt, Cell, Job, Run, Test
from farm_scheduler.verdicts import Verdict

PENDING, ENDED = "pending", "ended"
"""The stages of a run that are told."""

MOST_FAILING = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A run in a few words.

    Attributes:
        outcome: `pending`, `success`, `failure`, `error` (the farm's own fault) or `cancelled`.
        text: one line.
        failing: names of failing tests, a few of them, with their cell.
        url: its page; empty where the farm has no public address.
    """

    run_id: str
    outcome: str
    text: str
    url: str
    failing: tuple[str, ...] = ()


def summary_of(session: Session, settings: Settings, run: Run, stage: str) -> Summary:
    """What is said of a run at a stage."""
    url = f"{settings.public_url.rstrip('/')}/runs/{run.id}" if settings.public_url else ""
    if stage == PENDING:
        return Summary(run_id=run.id, outcome="pending", text="waiting for its machines", url=url)
    rows = session.exec(
        select(Job, Cell).join(Cell, col(Cell.id) == col(Job.cell_id)).where(Job.run_id == run.id)
    )
    pairs = list(rows)
    words: dict[str, int] = {}
    for job, _ in pairs:
        word = (job.verdict or Verdict.FARM_ERROR).value if run.state != RunState.CANCELLED else "cancelled"
        words[word] = words.get(word, 0) + 1
    counted = ", ".join(f"{number} {word}" for word, number in sorted(words.items()))
    return Summary(
        run_id=run.id,
        outcome=_outcome(run),
        text=counted or clean_line(str(run.notes[-1]["reason"]) if run.notes else "nothing ran"),
        url=url,
        failing=_failing(session, run.id),
    )


def _outcome(run: Run) -> str:
    if run.state == RunState.CANCELLED:
        return "cancelled"
    return {AS_EXPECTED: "success", FARMS_FAULT: "error"}.get(run.exit_code or 0, "failure")


def _failing(session: Session, run_id: str) -> tuple[str, ...]:
    chosen = (
        select(Cell.label, Test.name)
        .join(Job, col(Job.cell_id) == col(Cell.id))
        .join(Attempt, col(Attempt.job_id) == col(Job.id))
        .join(Test, col(Test.attempt_id) == col(Attempt.id))
        .where(Cell.run_id == run_id, Test.status == "fail")
        .order_by(col(Cell.position), col(Test.position))
        .limit(MOST_FAILING)
    )
    return tuple(clean_line(f"{label}: {name}") for label, name in session.exec(chosen))
