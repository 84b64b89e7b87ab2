"""What is fetched next: the oldest event or submission that waits, while nobody's take all places of a worker.

Called by the worker, whose messages say no more than that something waits. Servers of git belong to others, and may
be silent for minutes: beside them there is always a place for what is here or at the index. It changes nothing; who
carries out claims.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import Session, and_, col, not_, or_, select

from farm_scheduler.access_tables import Submission, SubmissionState
from farm_scheduler.database import Database
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.tables import now

FETCHES = 6
"""How much a worker fetches at a time, in threads that count beside those for jobs."""

OF_GIT = 4
"""Of them, how many may ask servers of git."""

OF_ONE = 2
"""How many of either kind one project or one token has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Something to fetch: `owner` is the project of an event, or who sent a submission."""

    id: str
    owner: str
    git: bool
    is_event: bool
    created: datetime


def next_fetch(database: Database, at_work: Collection[Fetch]) -> Fetch | None:
    """The oldest that may begin beside what this worker has at work; None when nothing may."""
    if len(at_work) >= FETCHES:
        return None
    kinds = (False,) if sum(each.git for each in at_work) >= OF_GIT else (False, True)
    found = []
    with database.read() as session:
        for git in kinds:
            count = Counter(each.owner for each in at_work if each.git == git)
            full = [owner for owner, number in count.items() if number >= OF_ONE]
            ids = [each.id for each in at_work]
            found += [_event(session, git, full, ids), _submission(session, git, full, ids)]
    return min((each for each in found if each is not None), key=lambda each: each.created, default=None)


def _event(session: Session, git: bool, full: Collection[str], ids: Collection[str]) -> Fetch | None:
    chosen = select(Event.id, Event.project_id, Event.created).where(
        Event.state == EventState.WAITING,
        or_(col(Event.not_before).is_(None), col(Event.not_before) <= now()),
        _is(git, col(Event.target).like("git+%")),
        col(Event.project_id).not_in(full),
        col(Event.id).not_in(ids),
    )
    row = session.exec(chosen.order_by(col(Event.created)).limit(1)).first()
    return row and Fetch(id=row[0], owner=row[1], created=row[2], git=git, is_event=True)


def _submission(session: Session, git: bool, full: Collection[str], ids: Collection[str]) -> Fetch | None:
    chosen = select(Submission.id, Submission.actor, Submission.created).where(
        Submission.state == SubmissionState.WAITING,
        or_(col(Submission.lease_expires).is_(None), col(Submission.lease_expires) <= now()),
        _is(git, and_(col(Submission.target).like("git+%"), col(Submission.upload_id).is_(None))),
        col(Submission.actor).not_in(full),
        col(Submission.id).not_in(ids),
    )
    row = session.exec(chosen.order_by(col(Submission.created)).limit(1)).first()
    return row and Fetch(id=row[0], owner=row[1], created=row[2], git=git, is_event=False)


def _is(wanted: bool, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return condition if wanted else not_(condition)
