"""Redelivery: which deliveries that GitHub could not make it shall be asked for again, each a few times at most.

Called by the worker, which asks, and by the command. A delivery that the record has is never asked for, nor one that
was asked for a short while ago: the row that says so is there before GitHub hears of it. It asks nobody itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, func, select

from farm_scheduler.database import Database
from farm_scheduler.deliveries import STEP
from farm_scheduler.errors import FarmError, InputError
from farm_scheduler.event_tables import Delivery, Event
from farm_scheduler.listeners import check_app, check_token
from farm_scheduler.redelivery_tables import Redelivery, Relook
from farm_scheduler.secret_box import SecretBox
from farm_scheduler.settings import Settings
from farm_scheduler.tables import Project, now

LOOK_BACK = timedelta(days=3)
"""How long GitHub keeps deliveries, and sends them again."""

MOST_TRIES = 3
FIRST_WAIT = timedelta(minutes=5)
"""Between two requests for the same delivery; each wait is three times the one before."""

MOST_AT_A_LOOK = 20
AT_ONCE = 20
"""Projects that one round looks at."""

AT_A_QUERY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A project whose deliveries are to be looked through now: by its App, or by a token for its hook.

    Attributes:
        after: a moment in the order of events: all that the record had of the project by then was told before.
    """

    project_id: str
    name: str
    repository: str
    app_id: str | None
    after: datetime
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt of GitHub to make a delivery.

    Attributes:
        number: GitHub's name for this attempt.
        guid: for the delivery; its other attempts have the same.
        kind: the event.
        arrived: whether the farm answered at all, be it with a refusal.
    """

    number: int
    guid: str
    kind: str
    delivered: datetime
    arrived: bool


def start_looking(
    session: Session, box: SecretBox, project: Project, secret: str, app_id: str | None = None
) -> None:
    """Look through a project's deliveries from now on; `secret` is a token, or the App's private key.

    Raises:
        InputError: the project is not at GitHub, or the secret is none.
    """
    if app_id is None:
        check_token(secret)
    else:
        check_app(app_id, secret)
    if project.forge != "github" or project.repository is None:
        raise InputError(
            f"{project.name} is not at GitHub; no other forge tells of what it could not deliver"
        )
    stop_looking(session, project)
    session.add(Relook(project_id=project.id, app_id=app_id, sealed=box.seal(secret)))


def stop_looking(session: Session, project: Project) -> bool:
    """Look through them no longer; whether they were."""
    found = session.get(Relook, project.id)
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True


def due_looks(database: Database, settings: Settings) -> list[Look]:
    """What is to be looked through now; nobody else will do it meanwhile."""
    due = select(Relook, Project).join(Project, col(Project.id) == col(Relook.project_id))
    due = due.where(col(Relook.next_look) <= now()).order_by(col(Relook.next_look)).limit(AT_ONCE)
    with database.read() as session:
        if session.exec(due.limit(1)).first() is None:
            return []
    with database.write() as session:
        rows = session.exec(due).all()
        for relook, _ in rows:
            relook.next_look = now() + timedelta(seconds=settings.watch_seconds)
        session.execute(delete(Redelivery).where(col(Redelivery.asked) < now() - 2 * LOOK_BACK))
        return [
            Look(
                project_id=project.id,
                name=project.name,
                repository=project.repository or "",
                app_id=relook.app_id,
                after=_after(session, project.id),
                sealed=relook.sealed,
            )
            for relook, project in rows
        ]


def _after(session: Session, project_id: str) -> datetime:
    newest = session.scalar(select(func.max(col(Event.told))).where(Event.project_id == project_id))
    return now() if newest is None else max(now(), newest + STEP / 2)


def claim_failed(database: Database, look: Look, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    """The attempts that GitHub is to be asked to repeat; each is recorded as asked before it is given.

    Of several attempts for one delivery the newest counts, unless any of them arrived.
    """
    newest: dict[str, Attempt] = {}
    order: list[str] = []
    arrived = set()
    for each in sorted(attempts, key=lambda each: each.delivered):
        if each.arrived:
            arrived.add(each.guid)
        if each.guid not in newest:
            order.append(each.guid)
        newest[each.guid] = each
    told = _told(database, look, order)
    failed = [each for guid, each in newest.items() if guid not in arrived]
    failed = [each for each in failed if each.delivered > now() - LOOK_BACK]
    asked = 0
    for attempt in sorted(failed, key=lambda each: each.delivered):
        if asked == MOST_AT_A_LOOK:
            return
        if _claim(database, look, attempt, told[attempt.guid]):
            asked += 1
            yield attempt


def _told(database: Database, look: Look, order: Sequence[str]) -> dict[str, datetime]:
    """When each delivery counts as told, of those that GitHub first tried in this order.

    It is before the next one that arrived: GitHub's clock says which that is, and is compared with no other.
    """
    with database.read() as session:
        moments: dict[str | None, datetime] = {}
        for start in range(0, len(order), AT_A_QUERY):
            ids = col(Event.delivery_id).in_(order[start : start + AT_A_QUERY])
            found = select(Event.delivery_id, func.min(col(Event.told))).where(Event.forge == "github", ids)
            moments.update(session.exec(found.group_by(col(Event.delivery_id))).all())
    next_one, told = look.after, {}
    for guid in reversed(order):
        told[guid] = next_one
        next_one = min(next_one, moments.get(guid, next_one)) - timedelta(microseconds=1)
    return told


def _claim(database: Database, look: Look, attempt: Attempt, told: datetime) -> bool:
    """Record that a delivery is asked for, unless it is here, was asked for just now, or often enough."""
    with database.write() as session:
        if session.get(Delivery, ("github", attempt.guid)) is not None:
            return False
        row = session.get(Redelivery, attempt.guid)
        if row is None:
            row = Redelivery(project_id=look.project_id, guid=attempt.guid, kind=attempt.kind, delivered=told)
        elif row.tries >= MOST_TRIES or row.asked > now() - FIRST_WAIT * 3 ** (row.tries - 1):
            return False
        row.tries, row.asked, row.reason = row.tries + 1, now(), None
        session.add(row)
        return True


def refuse(database: Database, attempt: Attempt, error: FarmError) -> None:
    """Keep why GitHub did not agree to deliver something again."""
    with database.write() as session:
        session.get_one(Redelivery, attempt.guid).reason = error.sentence


def settle_look(database: Database, look: Look, error: FarmError | None) -> None:
    """Keep how a look ended."""
    with database.write() as session:
        row = session.get(Relook, look.project_id)
        if row is not None:
            row.looked, row.note = now(), error.sentence if error is not None else None
