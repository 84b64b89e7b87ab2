"""A connection of the HTTP server, which has to say soon and in few bytes what it asks for.

Handed to uvicorn by the server. uvicorn waits for ever for the head of a request, and keeps all of it: a thousand
clients that never end theirs would take every file descriptor of the process.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
"""More than any browser or forge sends; what comes in one piece with its end may be longer."""


class BoundedConnection(HttpToolsProtocol):
    """A connection that is closed when the head of a request takes too long, or too much."""

    _deadline: asyncio.TimerHandle | None = None
    _heard = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too long by now."""
        if self._deadline is not None:
            if self._heard > HEAD_BYTES:
                self._close()
                return
            self._heard += len(data)
        super().data_received(data)

    def on_message_begin(self) -> Any:
        """Another request on the same connection has as long as the first."""
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """From here on the application has its own bounds."""
        self._end_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._heard = 0
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._close)

    def _end_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close(self) -> None:
        self._end_head()
        if not self.transport.is_closing():
            self.transport.close()
