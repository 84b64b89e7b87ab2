"""Places: how much may be held open at once, by all together and by each client.

Used by log_reader, and by the API for live streams and pieces of uploads. Nobody waits here: where there is no place
the answer is 429 before anything else is sent. It knows nothing of what the places are for.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from threading import Lock

import anyio
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from farm_dashboards.client_addresses import PREFIX
from farm_scheduler.errors import TooBusyError

RETRY_SECONDS = 5


class Places:
    """Safe between threads.

    Args:
        what: what takes them, for the refusal: `live streams`.
        most: of them all; clients without a token have half of them, as they may have any number of addresses.
        each: that one client may have, so that no one takes them all.
    """

    def __init__(self, what: str, most: int, each: int) -> None:
        self._what = what
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()
        self._lock = Lock()

    def take(self, client: str) -> Callable[[], None]:
        """Take a place; what is returned gives it back, once.

        Raises:
            TooBusyError: there is none for this client.
        """
        with self._lock:
            if not self._is_free(client):
                sentence = f"too many {self._what} are open; wait {RETRY_SECONDS} s, and open fewer at once"
                raise TooBusyError(sentence, retry_after=RETRY_SECONDS)
            self._taken[client] += 1
        given = False

        def give_back() -> None:
            nonlocal given
            with self._lock:
                if given:
                    return
                given = True
                self._taken[client] -= 1
                self._taken += Counter()  # forgets who has none

        return give_back

    def _is_free(self, client: str) -> bool:
        nameless = sum(count for each, count in self._taken.items() if each.startswith(PREFIX))
        share = nameless < self._most // 2 or not client.startswith(PREFIX)
        return share and self._taken.total() < self._most and self._taken[client] < self._each


class HeldResponse(StreamingResponse):
    """A stream that holds something until it ends, however it does: by itself, by its client, or by its time.

    Args:
        chunks: what is sent.
        close: lets go of what is held; called in a thread.
        seconds: how long a client may take for all of it.
        media_type: of the chunks.
        headers: of the answer.
    """

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        close: Callable[[], None],
        *,
        seconds: float,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(chunks, media_type=media_type, headers=headers)
        self._close = close
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let go."""
        try:
            with anyio.move_on_after(self._seconds):
                await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._close)
