"""Superseded runs: a newer push to the same ref ends those before it, whose answer nobody waits for any more.

Called by runs inside the write transaction that records a run. Only what pushes and pull requests asked for is ended,
and only by the like: a person's run, a tag and a release stay. It never starts anything.
"""

from sqlmodel import Session, col, select

from farm_scheduler.cancellation import cancel_run
from farm_scheduler.states import RunState
from farm_scheduler.tables import Run
from farm_scheduler.triggers import Trigger

SUPERSEDING = frozenset({Trigger.PUSH, Trigger.PULL_REQUEST})
OPEN = (RunState.PLANNED, RunState.QUEUED, RunState.RUNNING)


def supersede(session: Session, run: Run) -> list[str]:
    """End the open runs of the same project, ref and kind of trigger; the ids of those that were.

    Each has a note that says by which run.
    """
    if run.trigger not in SUPERSEDING or run.project_id is None or run.ref is None:
        return []
    older = session.exec(
        select(Run)
        .where(Run.project_id == run.project_id, Run.ref == run.ref, Run.trigger == run.trigger)
        .where(col(Run.state).in_(OPEN), Run.id != run.id)
    ).all()
    what = "push to" if run.trigger is Trigger.PUSH else "commit of"
    commit = f" ({run.revision[:12]})" if run.revision else ""
    reason = f"superseded by {run.id}: a newer {what} {run.ref}{commit}"
    for each in older:
        each.notes = [*each.notes, {"environment": None, "reason": reason}]
        cancel_run(session, each)
    return [each.id for each in older]
