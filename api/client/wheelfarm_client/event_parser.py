"""Server-sent events out of bytes (HTML standard, 9.2.6), with bounds.

Called by connection. It reads no connection, and knows nothing of what events say.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from wheelfarm_client.errors import AnswerError

LARGEST_EVENT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Event:
    """One event: what happened, and the id with which one goes on behind it."""

    kind: str
    data: Dict[str, Any] = field(default_factory=dict)
    id: Optional[str] = None


class EventParser:
    """Bytes in, events out."""

    def __init__(self) -> None:
        self.last_id: Optional[str] = None
        self._kind = ""
        self._data: List[str] = []
        self._size = 0
        self._rest = b""

    def feed(self, chunk: bytes) -> List[Event]:
        """Take some bytes; the events that end with them.

        Raises:
            AnswerError: what came is no event of a farm.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LARGEST_EVENT:
            raise AnswerError("the server sent an event that is larger than any of a farm")
        found = [self._line(line.rstrip(b"\r").decode("utf-8", "replace")) for line in lines]
        return [event for event in found if event is not None]

    def _line(self, line: str) -> Optional[Event]:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        self._size += len(value)
        if self._size > LARGEST_EVENT:
            raise AnswerError("the server sent an event that is larger than any of a farm")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value
        return None

    def _end(self) -> Optional[Event]:
        kind, data = self._kind or "message", "\n".join(self._data)
        self._kind, self._data, self._size = "", [], 0
        if not data:
            return None
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise AnswerError("the server sent an event that is no JSON, or nested too deep") from error
        if not isinstance(document, dict):
            raise AnswerError("the server sent an event that is no JSON object")
        return Event(kind=kind, data=document, id=self.last_id)
