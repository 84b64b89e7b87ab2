"""Deliveries: what a forge told a door, recorded once with the events in it, in one short transaction.

Called by the webhooks, after the signature was checked, and by the watcher of the package index. Nothing is fetched
here, and nothing of a project is read: an event only says what a worker shall look at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.event_tables import Delivery, Event, EventState, ProjectSecret
from farm_scheduler.identifiers import new_id
from farm_scheduler.project_secrets import VALID_AT_ONCE
from farm_scheduler.redelivery_tables import Redelivery
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.triggers import Trigger

LONGEST_TEXT = 300
"""Characters that are kept of what a forge calls something."""

WORLDWIDE = frozenset({"github"})
"""Forges whose ids of deliveries are one space for all projects, and by which GitHub is asked for them again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing of a delivery that wants a run.

    Attributes:
        target: `git+URL` without a ref, or `NAME==VERSION`.
        ref: a branch or tag without `refs/…`, or `pull/NUMBER`.
        revision: the commit; None where the forge does not tell it.
        again: a person asks for another run of the same.
    """

    trigger: Trigger
    target: str
    ref: str | None = None
    revision: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A delivery whose signature is right.

    Attributes:
        kind: the forge's word for it.
        reason: why nothing is to be done, where there is nothing.
        digest: of the body, where a replay may come under another id.
    """

    forge: str
    delivery_id: str
    project_id: str
    kind: str
    notices: Sequence[Notice] = ()
    reason: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A project as a door sees it: who it is, where its source is, and its valid secrets, sealed."""

    project_id: str
    name: str
    repository: str | None
    sealed: tuple[str, ...] = field(repr=False)


_SECRETS = (
    select(col(Project.id), col(Project.name), col(Project.repository), col(ProjectSecret.sealed))
    .outerjoin(ProjectSecret, col(ProjectSecret.project_id) == col(Project.id))
    .order_by(col(ProjectSecret.created).desc())
    .limit(VALID_AT_ONCE)
)
# Built once: a forge may send hundreds of deliveries a second, and building a statement takes as long as running it.
_BY_ADDRESS = _SECRETS.where(
    col(Project.forge) == bindparam("forge"), col(Project.address) == bindparam("address")
)
_BY_NAME = _SECRETS.where(col(Project.name) == bindparam("address"))
STEP = timedelta(milliseconds=1)
"""Between two of a ref while the clock is behind them: room for what is delivered again."""
_NEW_DELIVERY = {
    "sqlite": sqlite.insert(Delivery).on_conflict_do_nothing().returning(col(Delivery.delivery_id)),
    "postgresql": postgresql.insert(Delivery).on_conflict_do_nothing().returning(col(Delivery.delivery_id)),
}
_NEW_EVENTS = insert(Event)
_SAME_BODY = (
    select(col(Event.state), col(Event.trigger), col(Event.ref), col(Event.told))
    .join(
        Delivery,
        and_(col(Delivery.forge) == col(Event.forge), col(Delivery.delivery_id) == col(Event.delivery_id)),
    )
    .where(col(Delivery.project_id) == bindparam("project"), col(Delivery.digest) == bindparam("digest"))
)
_Same = Row[EventState, Trigger, str | None, datetime]
# Not max(): PostgreSQL planned that for an empty table once, and then read every event that the ref ever had.
_NEWEST = (
    select(col(Event.told))
    .where(
        col(Event.project_id) == bindparam("project"),
        col(Event.trigger) == bindparam("trigger"),
        col(Event.ref) == bindparam("ref"),
    )
    .order_by(col(Event.told).desc())
    .limit(1)
)
_TRIED = select(col(Redelivery.delivered)).where(col(Redelivery.guid) == bindparam("delivery"))
_TOLD = select(_NEWEST.scalar_subquery(), _TRIED.scalar_subquery())


def find_door(database: Database, *, forge: str | None, address: str) -> Door | None:
    """The project of a repository's address at a forge; with `forge` None that of a name."""
    with database.read() as session:
        connection = session.connection()
        if forge is None:
            rows = connection.execute(_BY_NAME, {"address": address}).all()
        else:
            rows = connection.execute(_BY_ADDRESS, {"forge": forge, "address": address}).all()
    if not rows:
        return None
    sealed = tuple(row[3] for row in rows if row[3])
    return Door(project_id=rows[0][0], name=rows[0][1], repository=rows[0][2], sealed=sealed)


def run_of_commit(database: Database, project_id: str, run_id: str, revision: str | None) -> Run | None:
    """The run of this id, if it is one of this project and commit."""
    with database.read() as session:
        run = session.get(Run, run_id)
    return run if run and (run.project_id, run.revision) == (project_id, revision) else None


def recorded_id(forge: str, project_id: str, delivery_id: str) -> str:
    """The id of a door's delivery in the record: two relays may both count from 1."""
    return delivery_id if forge in WORLDWIDE else f"{project_id}:{delivery_id}"


def told_id(row: Delivery | Event) -> str | None:
    """The id as the forge told it."""
    return row.delivery_id and row.delivery_id.removeprefix(f"{row.project_id}:")


def record_delivery(database: Database, incoming: Incoming) -> tuple[str, ...] | None:
    """Record a delivery and its events; the ids of these, or None where the forge told the same before."""
    with database.write_together() as session:
        return record_in(session, incoming)


def record_in(session: Session, incoming: Incoming) -> tuple[str, ...] | None:
    """The same within a transaction of the caller's."""
    same = _same_body(session, incoming)
    # One of which all failed may come again.
    if any(each.state is not EventState.FAILED for each in same) or not _is_new(session, incoming):
        return None
    found = []
    for notice in incoming.notices:
        row = _event(incoming, notice) | {"told": _told(session, incoming, notice, same)}
        session.connection().execute(_NEW_EVENTS, row)
        found.append(row["id"])
    return tuple(found)


def _same_body(session: Session, incoming: Incoming) -> Sequence[_Same]:
    """State, trigger, ref and moment of the events of the same body that came before, under whatever id."""
    if incoming.digest is None:
        return ()
    Database.lock_word(session, incoming.digest)  # two that come at once do not see each other
    same = {"project": incoming.project_id, "digest": incoming.digest}
    return session.connection().execute(_SAME_BODY, same).all()


def _is_new(session: Session, incoming: Incoming) -> bool:
    """Record the delivery, unless it is there: two that come at once are told apart by the table's key."""
    connection = session.connection()
    row = {
        "forge": incoming.forge,
        "delivery_id": incoming.delivery_id,
        "project_id": incoming.project_id,
        "kind": incoming.kind,
        "reason": incoming.reason,
        "digest": incoming.digest,
        "received": now(),
    }
    new = _NEW_DELIVERY[connection.dialect.name]
    return connection.execute(new, row).first() is not None


def _told(session: Session, incoming: Incoming, notice: Notice, same: Sequence[_Same]) -> datetime:
    """When an event was told: after all others of its ref, however late or early the clock is.

    What GitHub was asked to deliver again counts from when it was delivered first, a body whose events failed from when
    it came first.
    """
    of = {"project": incoming.project_id, "trigger": notice.trigger, "ref": notice.ref}
    newest, first = session.connection().execute(_TOLD, of | {"delivery": incoming.delivery_id}).one()
    told = now() if newest is None else max(now(), newest + STEP)
    before = [each.told for each in same if (each.trigger, each.ref) == (notice.trigger, notice.ref)]
    moments: list[datetime] = [told, told if first is None else first, *before]
    return min(moments)


def _event(incoming: Incoming, notice: Notice) -> dict[str, Any]:
    return {
        "id": new_id("e"),
        "project_id": incoming.project_id,
        "forge": incoming.forge,
        "delivery_id": incoming.delivery_id,
        "trigger": notice.trigger,
        "target": notice.target,
        "ref": notice.ref,
        "revision": notice.revision,
        "again": notice.again,
        "state": EventState.WAITING,
        "run_id": new_id("r"),
        "tries": 0,
        "worker": "",
        "published": now(),  # sent as soon as this is committed
        "created": now(),
    }
