"""The shapes of what came in by itself: deliveries of forges, and events that ask for a run.

Used by the router of events. They are the record's rows as JSON; a shape never leads to a query of its own.
"""

from datetime import datetime

from farm_api.v1.shapes import Shape
from farm_scheduler.event_tables import EventState
from farm_scheduler.triggers import Trigger


class Delivery(Shape):
    """One message of a forge whose signature was right, or one finding of the release watcher."""

    forge: str
    delivery_id: str
    """The forge's own name for it."""
    project: str
    kind: str
    """The forge's word for what happened."""
    reason: str | None
    """Why nothing came of it, where nothing did."""
    received: datetime


class Event(Shape):
    """Something that asks for a run."""

    id: str
    project: str
    forge: str | None
    delivery_id: str | None
    trigger: Trigger
    target: str
    """`git+URL` without its ref, or `NAME==VERSION`."""
    ref: str | None
    revision: str | None
    state: EventState
    reason: str | None
    """What went wrong, what it waits for, or why there was nothing to do."""
    tries: int
    run_id: str | None
    """Its run; null while there is none."""
    created: datetime
    not_before: datetime | None
    """Not tried again before that."""
    finished: datetime | None
