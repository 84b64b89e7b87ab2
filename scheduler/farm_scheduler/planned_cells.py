"""The cells of a plan as rows, with their jobs, which enter the queue.

Called by runs inside the write transaction that makes a run queued. A plan may have ten thousand cells: the rows are
plain values, as making an object for each took longer than everything else. It never publishes a ticket.
"""

from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from farm_scheduler.durations import Durations
from farm_scheduler.identifiers import new_id
from farm_scheduler.lanes import open_lanes, place
from farm_scheduler.plan import Plan, PlannedCell
from farm_scheduler.states import JobState
from farm_scheduler.tables import Cell, Job, Run, now
from farm_scheduler.verdicts import Verdict

Row = dict[str, Any]


def store_cells(session: Session, run: Run, plan: Plan) -> None:
    """Write the cells of a run, and a job for each; those of unsupported cells have ended before they begin."""
    session.flush()
    example = Cell(run_id=run.id, position=0, system="", label="").model_dump()
    cells = [
        {**example, **_cell(planned), "id": new_id("c"), "position": position}
        for position, planned in enumerate(plan.cells)
    ]
    if run.retries is not None:
        for cell in cells:
            cell["retries"] = run.retries
    jobs = _Jobs(session, run)
    rows = [jobs.row(cell["id"], planned) for cell, planned in zip(cells, plan.cells, strict=True)]
    if rows:
        session.execute(insert(Cell), cells)
        session.execute(insert(Job), rows)
    open_lanes(session, {(row["share"], row["system"]) for row in rows if row["state"] == JobState.QUEUED})


class _Jobs:
    """Makes the rows of jobs: those of one system have the same place in the queue."""

    def __init__(self, session: Session, run: Run) -> None:
        self._session = session
        self._run = run
        self._durations = Durations(session, run.project)
        self._examples: dict[str, Row] = {}

    def row(self, cell_id: str, planned: PlannedCell) -> Row:
        """The job of one cell."""
        facts: Row = {
            "id": new_id("j"),
            "cell_id": cell_id,
            "expected_seconds": self._durations.expected(planned),
        }
        if planned.unsupported is not None:
            facts |= {"state": JobState.FINISHED, "verdict": Verdict.UNSUPPORTED, "expected_seconds": 0.0}
            facts |= {"reason": planned.unsupported, "finished": now()}
        return {**self._example(planned.system), **facts}

    def _example(self, system: str) -> Row:
        if system not in self._examples:
            job = Job(run_id=self._run.id, cell_id="")
            place(self._session, self._run, job, system)
            self._examples[system] = job.model_dump()
        return self._examples[system]


def _cell(planned: PlannedCell) -> Row:
    return {
        "python": planned.python,
        "system": planned.system,
        "label": planned.label,
        "environments": list(planned.environments),
        "tool": planned.tool,
        "variables": dict(planned.variables),
        "inferred_config": planned.inferred,
        "expected": planned.expected,
        "expected_reason": planned.expected_reason,
        "seconds": planned.seconds,
        "packages": list(planned.packages),
        "retries": planned.retries,
        "installer": planned.installer,
        "constraints": list(planned.constraints),
        "cutoff": planned.cutoff,
    }
