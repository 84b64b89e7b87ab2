"""What is fetched next: of what waits, that of who has the least at work, and of theirs what never was tried.

Called by the worker, whose messages say no more than that something waits. Servers of git belong to others, and may
be silent for minutes: no host of them and nobody who asks takes the places of the others. It changes nothing; who
carries out claims.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, SQLColumnExpression, and_, case, func, or_, select
from sqlmodel import Session, col

from farm_scheduler.access_tables import Submission, SubmissionState
from farm_scheduler.database import Database
from farm_scheduler.errors import TargetError
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.tables import Project, now
from farm_scheduler.url_parts import read_url

FETCHES = 12
"""How much a worker fetches at a time, in threads that count beside those for jobs; waiting for a network is cheap."""

OF_KIND = 8
"""Of them, how many may ask servers of git, and how many something else: either kind always finds a place."""

OF_HOST = 4
"""How many may ask one server of git."""

OF_OWNER = 2
"""How many of either kind one owner has: less than a server of git takes, so that another always comes in."""

LOOKED_AT = 50
"""Of either kind and each owner, the first that wait: who asks for thousands hides nothing of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Something to fetch.

    Attributes:
        owner: the project that it is for, or the token where that is for none.
        host: the server of git that is asked, None where none is.
    """

    id: str
    owner: str
    host: str | None
    is_event: bool
    tried: bool
    created: datetime

    @property
    def git(self) -> bool:
        """Whether it asks a server of git."""
        return self.host is not None


def next_fetch(database: Database, at_work: Collection[Fetch]) -> Fetch | None:
    """What may begin beside what this worker has at work; None when nothing may."""
    if len(at_work) >= FETCHES:
        return None
    ids, hosts = {each.id for each in at_work}, Counter(each.host for each in at_work)
    kinds = Counter(each.git for each in at_work)
    owners = Counter((each.git, each.owner) for each in at_work)

    def may(each: Fetch) -> bool:
        free = kinds[each.git] < OF_KIND and owners[each.git, each.owner] < OF_OWNER
        return free and each.id not in ids and not (each.git and hosts[each.host] >= OF_HOST)

    with database.read() as session:
        found = (
            *_waiting(session, _events(), is_event=True),
            *_waiting(session, _submissions(), is_event=False),
        )
    waiting = [each for each in found if may(each)]
    return min(
        waiting, key=lambda each: (owners[each.git, each.owner], each.tried, each.created), default=None
    )


def _events() -> Select[Any]:
    git = col(Event.target).like("git+%")
    owner = col(Project.name)
    chosen = _columns(col(Event.id), owner, col(Event.target), git, col(Event.tries), col(Event.created))
    return chosen.join(Project, col(Project.id) == col(Event.project_id)).where(
        col(Event.state) == EventState.WAITING,
        or_(col(Event.not_before).is_(None), col(Event.not_before) <= now()),
    )


def _submissions() -> Select[Any]:
    wish = Submission
    git = and_(col(wish.target).like("git+%"), col(wish.upload_id).is_(None))
    owner = func.coalesce(col(wish.scope), col(wish.actor))
    chosen = _columns(col(wish.id), owner, col(wish.target), git, col(wish.tries), col(wish.created))
    return chosen.where(
        col(wish.state) == SubmissionState.WAITING,
        or_(col(wish.lease_expires).is_(None), col(wish.lease_expires) <= now()),
    )


def _columns(
    name: SQLColumnExpression[str],
    owner: SQLColumnExpression[str],
    target: SQLColumnExpression[str],
    git: SQLColumnExpression[bool],
    tries: SQLColumnExpression[int],
    created: SQLColumnExpression[datetime],
) -> Select[Any]:
    """What a fetch is made of, and which of its owner's it is."""
    place = func.row_number().over(partition_by=(owner, git), order_by=(tries > 0, created))
    return select(
        name.label("id"),
        owner.label("owner"),
        case((git, target)).label("address"),
        (tries > 0).label("tried"),
        created.label("created"),
        place.label("place"),
    )


def _waiting(session: Session, chosen: Select[Any], *, is_event: bool) -> Iterator[Fetch]:
    rows = chosen.subquery()
    for row in session.execute(select(rows).where(rows.c.place <= LOOKED_AT)):
        host = None if row.address is None else _host(row.address)
        yield Fetch(
            id=row.id, owner=row.owner, host=host, is_event=is_event, tried=row.tried, created=row.created
        )


def _host(target: str) -> str:
    try:
        return read_url(target).hostname or ""
    except TargetError:
        return ""  # whoever fetches it says what is wrong with it
