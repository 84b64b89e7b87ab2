"""`/garbage`: what nobody wants any more on the host of this server, and its removal.

Included by application, for admins. Removing takes as long as a disk does, so a request removes for a while and says
what is left. It never decides what may go: that is the scheduler's to say.
"""

import time

from fastapi import APIRouter
from pydantic import Field

from farm_api.v1.callers import Admin
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import House, TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.shapes import Limit, Shape
from farm_scheduler import garbage
from farm_scheduler.audit import note_change
from farm_scheduler.disposal import dispose
from farm_scheduler.tables import now

router = APIRouter(tags=["garbage"], route_class=Door)

REMOVAL_SECONDS = 15.0
"""How long one request removes."""


class GarbageItem(Shape):
    """One file or folder."""

    kind: str
    """`image`, `template`, `evidence`, `source`, `download record` or `remains`."""
    name: str
    bytes: int
    reason: str


class Garbage(Shape):
    """What can go, the first of it in full."""

    items: list[GarbageItem] = Field(default_factory=list)
    count: int
    bytes: int
    """Of all of it."""


class Disposal(Shape):
    """What a request removed."""

    items: list[GarbageItem] = Field(default_factory=list)
    bytes: int
    left: int
    """So much is still to be removed: ask again."""
    kept: int
    """So much is being worked on, and stays for another time."""


@router.get("/garbage", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_garbage(caller: Admin, house: TheHouse, limit: Limit = 500) -> Garbage:
    """What of this host's home nobody wants any more. It changes nothing."""
    del caller
    found = _find(house)
    total = sum(each.bytes for each in found)
    return Garbage(items=[_item(each) for each in found[:limit]], count=len(found), bytes=total)


@router.post("/garbage/disposal", dependencies=REPEATABLE, responses=responses(409, 413))
def dispose_garbage(caller: Admin, house: TheHouse) -> Disposal:
    """Remove it, for some seconds; with `left` above 0 ask again. Verdicts and results of tests stay."""
    found = _find(house)
    end = time.monotonic() + REMOVAL_SECONDS
    gone, kept = [], 0
    for item in found:
        if time.monotonic() > end:
            break
        if dispose(house.database, item):
            gone.append(item)
        else:
            kept += 1
    freed = sum(each.bytes for each in gone)
    if gone:
        with house.database.write() as session:
            note_change(session, caller, "garbage.remove", "home", items=len(gone), bytes=freed)
    left = len(found) - len(gone) - kept
    return Disposal(items=[_item(each) for each in gone], bytes=freed, left=left, kept=kept)


def _find(house: House) -> list[garbage.Garbage]:
    with house.database.read() as session:
        return garbage.find_garbage(session, house.settings, now())


def _item(found: garbage.Garbage) -> GarbageItem:
    return GarbageItem(kind=found.kind, name=found.name, bytes=found.bytes, reason=found.reason)
