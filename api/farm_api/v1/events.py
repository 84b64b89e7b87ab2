"""`/events` and `/deliveries`: what came in by itself, and what became of it.

Included by application. Events lead to runs, and who may see these sees them; what a forge sent is for those who look
after the project. Nothing is sent again here: a redelivery is the forge's to make.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from packaging.utils import canonicalize_name
from sqlmodel import col, select

from farm_api.v1.callers import Maintainer, Reader
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.event_shapes import Delivery, Event
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.runs import ProjectFilter
from farm_api.v1.shapes import After, Limit, Page
from farm_scheduler import event_tables
from farm_scheduler.deliveries import told_id
from farm_scheduler.event_tables import EventState
from farm_scheduler.record_pages import read_page
from farm_scheduler.roles import Caller
from farm_scheduler.tables import Project, Run
from farm_scheduler.triggers import Trigger

router = APIRouter(tags=["events"], route_class=Door)

ForgeFilter = Annotated[
    str | None, Query(pattern=r"^[a-z][a-z0-9-]{0,31}$", description="Only what this forge told.")
]
IgnoredFilter = Annotated[bool, Query(description="Only those that nothing came of.")]


class EventPage(Page[Event]):
    """A page of events."""


class DeliveryPage(Page[Delivery]):
    """A page of deliveries."""


@router.get("/events", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_events(
    caller: Reader,
    house: TheHouse,
    *,
    project: ProjectFilter = None,
    state: EventState | None = None,
    trigger: Trigger | None = None,
    after: After = None,
    limit: Limit = 100,
) -> EventPage:
    """The events of webhooks and of the release watcher, newest first, with the run of each."""
    chosen = (
        select(event_tables.Event, Project.name, Run.id)
        .join(Project, col(Project.id) == col(event_tables.Event.project_id))
        .outerjoin(Run, col(Run.id) == col(event_tables.Event.run_id))
    )
    chosen = _narrowed(chosen, caller, project)
    if state is not None:
        chosen = chosen.where(event_tables.Event.state == state)
    if trigger is not None:
        chosen = chosen.where(event_tables.Event.trigger == trigger)
    keys = [col(event_tables.Event.created), col(event_tables.Event.id)]
    with house.database.read() as session:
        page = read_page(session, chosen, keys, after=after, limit=limit, descending=True)
    return EventPage(items=[_event(*row) for row in page.rows], next=page.next)


@router.get("/deliveries", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_deliveries(
    caller: Maintainer,
    house: TheHouse,
    *,
    project: ProjectFilter = None,
    forge: ForgeFilter = None,
    ignored: IgnoredFilter = False,
    after: After = None,
    limit: Limit = 100,
) -> DeliveryPage:
    """What forges told the farm, newest first, also what nothing came of. For maintainers and admins."""
    row = event_tables.Delivery
    chosen = select(row, Project.name).join(Project, col(Project.id) == col(row.project_id))
    chosen = _narrowed(chosen, caller, project)
    if forge is not None:
        chosen = chosen.where(row.forge == forge)
    if ignored:
        chosen = chosen.where(col(row.reason).is_not(None))
    keys = [col(row.received), col(row.forge), col(row.delivery_id)]
    with house.database.read() as session:
        page = read_page(session, chosen, keys, after=after, limit=limit, descending=True)
    return DeliveryPage(items=[_delivery(*found) for found in page.rows], next=page.next)


def _narrowed(chosen: Any, caller: Caller, project: str | None) -> Any:
    """The rows of one project, where the caller asks for one or may see one only."""
    for name in filter(None, (project, caller.project)):
        chosen = chosen.where(Project.name == canonicalize_name(name))
    return chosen


def _event(row: event_tables.Event, project: str, run_id: str | None) -> Event:
    fields = {name: getattr(row, name) for name in Event.model_fields if name not in {"project", "run_id"}}
    return Event(**fields | {"delivery_id": told_id(row)}, project=project, run_id=run_id)


def _delivery(row: event_tables.Delivery, project: str) -> Delivery:
    fields = {name: getattr(row, name) for name in Delivery.model_fields if name != "project"}
    return Delivery(**fields | {"delivery_id": told_id(row)}, project=project)
