"""Pages of long lists: rows in a fixed order, and a cursor that says where the next page begins.

Called by the API's doors. A page costs the same wherever it is, and none is skipped or doubled when rows are added
meanwhile. It keeps nothing between two pages and never counts all rows.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Integer, and_, or_
from sqlalchemy import Row as SqlRow
from sqlmodel import Session

from farm_scheduler.errors import CursorError
from farm_scheduler.tables import Moment

Row = TypeVar("Row")
LARGEST_NUMBER = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage(Generic[Row]):
    """One page; `next` is the cursor of the next one, None on the last."""

    rows: Sequence[Row]
    next: str | None


def read_page(
    session: Session,
    chosen: Any,
    keys: Sequence[Any],
    *,
    after: str | None,
    limit: int,
    descending: bool = False,
) -> RecordPage[Any]:
    """The rows of `chosen` (a select of one table) behind `after`, in the order of `keys`, which tell rows apart.

    Raises:
        CursorError: the cursor is none of this list.
    """
    order = [key.desc() if descending else key.asc() for key in keys]
    if after is not None:
        chosen = chosen.where(_behind(keys, _read(after, keys), descending=descending))
    rows = list(session.exec(chosen.order_by(*order).limit(limit + 1)).all())
    more = len(rows) > limit
    rows = rows[:limit]
    return RecordPage(rows=rows, next=_write(rows[-1], keys) if more else None)


def _behind(keys: Sequence[Any], values: Sequence[Any], *, descending: bool) -> ColumnElement[bool]:
    choices = []
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [each == at for each, at in zip(keys[:place], values[:place], strict=True)]
        choices.append(and_(*same, key < value if descending else key > value))
    return or_(*choices)


def _write(row: Any, keys: Sequence[Any]) -> str:
    record = row[0] if isinstance(row, (tuple, SqlRow)) else row
    found = [getattr(record, key.key) for key in keys]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in found]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _read(cursor: str, keys: Sequence[Any]) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if isinstance(values, list) and len(values) == len(keys):
            return [_value(value, key) for value, key in zip(values, keys, strict=True)]
    except (binascii.Error, ValueError, OverflowError, RecursionError) as error:
        raise _unknown(cursor) from error
    raise _unknown(cursor)


def _value(value: object, key: Any) -> object:
    """A value of the cursor as its column has it; ValueError when that is not possible."""
    if isinstance(key.type, Moment):
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            raise ValueError(value)
        return moment.astimezone(UTC)
    kind = int if isinstance(key.type, Integer) else str
    if type(value) is not kind or (isinstance(value, str) and "\0" in value):
        raise ValueError(value)
    if isinstance(value, str):
        value.encode()  # half a character is no text that a database takes
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise ValueError(value)
    return value


def _unknown(cursor: str) -> CursorError:
    return CursorError("the cursor is none of this list; take `next` of the page before", cursor=cursor[:100])
