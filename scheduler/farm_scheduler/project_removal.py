"""The end of a project: the farm follows it no longer, and what its runs found stays.

Called by the command and by the API's door, inside their write transaction. Runs keep their name and everything that
they found, and belong to no project any more; those that have not ended are cancelled. It stops no machine itself and
tells nobody.
"""

from dataclasses import dataclass

from sqlmodel import Session, col, delete, select, update

from farm_scheduler.access_tables import AccessToken
from farm_scheduler.audit import note_change
from farm_scheduler.cancellation import cancel_run
from farm_scheduler.event_tables import Delivery, Event, ProjectSecret
from farm_scheduler.feedback_tables import Listener, Post, Report, ReportState
from farm_scheduler.redelivery_tables import Redelivery, Relook
from farm_scheduler.roles import Caller
from farm_scheduler.shares import UNSYNCHRONIZED
from farm_scheduler.states import RUN_ENDED
from farm_scheduler.tables import Project, Run, Share, now
from farm_scheduler.watch_tables import Watch

GO = (Event, Delivery, ProjectSecret, Listener, Watch, Post, Relook, Redelivery)
"""The tables whose rows go with their project, those that others lead to last."""

STAY = (Run, Share)
"""The tables whose rows stay, as those of no project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What the removal of a project did.

    Attributes:
        name: of the project.
        cancelled: runs that had not ended.
        kept: its other runs.
        tokens: tokens for it, which open nothing any more.
    """

    name: str
    cancelled: int
    kept: int
    tokens: int


def remove_project(session: Session, caller: Caller, project: Project) -> Removal:
    """Follow a project no longer: its secrets, listeners, events and deliveries go, and its tokens are revoked.

    Its share of the queue stays for what is still at work, and counts for no project.
    """
    runs = session.exec(select(Run).where(Run.project_id == project.id)).all()
    open_runs = [run for run in runs if run.state not in RUN_ENDED]
    for run in open_runs:
        cancel_run(session, run)
    tokens = _revoke_tokens(session, project.name)
    session.flush()
    _settle_reports(session, project.id)
    for table in GO:
        session.execute(
            delete(table).where(col(table.project_id) == project.id), execution_options=UNSYNCHRONIZED
        )
    for row in STAY:
        moved = update(row).where(col(row.project_id) == project.id).values(project_id=None)
        session.execute(moved, execution_options=UNSYNCHRONIZED)
    session.delete(project)
    removal = Removal(
        name=project.name, cancelled=len(open_runs), kept=len(runs) - len(open_runs), tokens=tokens
    )
    note_change(
        session, caller, "project.remove", project.id, project=project.name, cancelled=removal.cancelled
    )
    return removal


def _revoke_tokens(session: Session, name: str) -> int:
    """End the tokens for this project: whoever takes its name next owes their holders nothing."""
    chosen = select(AccessToken).where(AccessToken.project == name, col(AccessToken.revoked).is_(None))
    found = session.exec(chosen).all()
    for token in found:
        token.revoked = now()
    return len(found)


def _settle_reports(session: Session, project_id: str) -> None:
    """What was still to be told is told to nobody."""
    mine = select(col(Run.id)).where(Run.project_id == project_id)
    settled = update(Report).where(col(Report.run_id).in_(mine), col(Report.state) == ReportState.WAITING)
    told = {"state": ReportState.DONE, "reason": "the project was removed", "finished": now()}
    session.execute(settled.values(**told), execution_options=UNSYNCHRONIZED)
