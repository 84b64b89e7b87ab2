"""Superseded runs: a newer push to the same ref ends those before it, whose answer nobody waits for any more.

Called by events inside the write transactions that settle one. What is newer is what the forge told later, not what
was carried out later. Only what pushes and pull requests asked for is ended, and only by the like: a person's run, a
tag and a release stay, and so does a run that is the newest of another ref. It never starts anything.
"""

from sqlmodel import Session, col, or_, select

from farm_scheduler.cancellation import cancel_run
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.states import RunState
from farm_scheduler.tables import Run
from farm_scheduler.triggers import Trigger

SUPERSEDING = frozenset({Trigger.PUSH, Trigger.PULL_REQUEST})
OPEN = (RunState.PLANNED, RunState.QUEUED, RunState.RUNNING)


def newer_than(session: Session, event: Event) -> Event | None:
    """The newest event of the same project, ref and kind of trigger that is done, if it was told after this one."""
    if event.trigger not in SUPERSEDING or event.ref is None:
        return None
    chosen = (
        select(Event)
        .where(Event.project_id == event.project_id, Event.trigger == event.trigger, Event.ref == event.ref)
        .where(or_(col(Event.state) == EventState.DONE, col(Event.id) == event.id))
        .order_by(col(Event.told).desc(), col(Event.id).desc())
    )
    newest = session.exec(chosen.limit(1)).first()
    return None if newest is None or newest.id == event.id else newest


def supersede(session: Session, event: Event) -> list[str]:
    """End the open runs of an event's ref that no event wants any more, its own as well; the ids of those that were.

    Each has a note that says by which run.
    """
    if event.trigger not in SUPERSEDING or event.ref is None:
        return []
    newest = newer_than(session, event) or event
    mine = select(Event.run_id).where(
        Event.project_id == event.project_id, Event.trigger == event.trigger, Event.ref == event.ref
    )
    older = select(Run).where(col(Run.id).in_(mine), col(Run.state).in_(OPEN))
    ended = [run for run in session.exec(older).all() if not _is_wanted(session, run)]
    for run in ended:
        run.notes = [*run.notes, {"environment": None, "reason": why_superseded(newest)}]
        cancel_run(session, run)
    return [run.id for run in ended]


def why_superseded(newest: Event) -> str:
    """The sentence that says by which run."""
    what = "push to" if newest.trigger is Trigger.PUSH else "commit of"
    commit = f" ({newest.revision[:12]})" if newest.revision else ""
    return f"superseded by {newest.run_id}: a newer {what} {newest.ref}{commit}"


def _is_wanted(session: Session, run: Run) -> bool:
    """Whether it is the newest of any ref: a commit may be the head of several branches and pull requests."""
    events = session.exec(select(Event).where(Event.run_id == run.id, Event.state != EventState.FAILED)).all()
    return any(newer_than(session, event) is None for event in events)
