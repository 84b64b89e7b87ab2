"""The stream's writer: the agent's own steps and attachments, stamped, bounded and put on the channel.

Used by everything in the agent that says something. It never decides what a step's status is.
"""

import json
from datetime import UTC, datetime
from typing import Any

from farm_images.agent.channel import Channel
from farm_images.subunit_stream import Event, Status, encode
from farm_images.wire import MAX_CHUNK

TEXT = "text/plain;charset=utf-8"
JSON = "application/json"


class Packets:
    """Writes events to the channel; the host takes them when it reads."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def event(self, event: Event) -> None:
        """One event as it is."""
        self._channel.queue(encode(event))

    def step(
        self,
        test_id: str,
        status: Status,
        *,
        reason: str | None = None,
        tags: frozenset[str] = frozenset(),
        eof: bool = False,
    ) -> None:
        """A step of the agent, with why if there is something to say."""
        if reason:
            self.attach(test_id, "reason", reason.encode(errors="replace"), TEXT)
        self.event(
            Event(
                test_id=test_id,
                status=status,
                tags=tags,
                runnable=False,
                eof=eof,
                timestamp=datetime.now(UTC),
            )
        )

    def attach(self, test_id: str, name: str, content: bytes, mime_type: str, *, eof: bool = True) -> None:
        """An attachment, or with `eof=False` its next part, in chunks of at most 256 KiB."""
        starts = range(0, max(len(content), 1), MAX_CHUNK)
        for start in starts:
            self.event(
                Event(
                    test_id=test_id,
                    runnable=False,
                    file_name=name,
                    file_bytes=content[start : start + MAX_CHUNK],
                    mime_type=mime_type,
                    eof=eof and start == starts[-1],
                    timestamp=datetime.now(UTC),
                )
            )

    def attach_json(self, test_id: str, name: str, content: Any) -> None:
        """A small JSON attachment."""
        self.attach(test_id, name, json.dumps(content).encode(), JSON)
