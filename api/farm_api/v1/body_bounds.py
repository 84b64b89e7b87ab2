"""Bodies of requests are bounded: in size, in time, and in how many are held at once.

The layer before the routes. It reads a whole body before anything else sees the request: every body is small, or one
piece of an upload. It never looks into one.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from farm_api.v1.problems import problem
from farm_scheduler.uploads import LARGEST_PIECE

LARGEST_BODY = 64 << 10
BODY_SECONDS = 60.0
PIECES_AT_ONCE = 8
_PIECE = re.compile(r".*/uploads/[^/]+")


class BodyBounds:
    """The layer; `app` is what is behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places = anyio.Semaphore(PIECES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and hand the request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "PATCH" and _PIECE.fullmatch(scope["path"]):
            async with self._places:
                await self._bounded(scope, receive, send, LARGEST_PIECE)
            return
        await self._bounded(scope, receive, send, LARGEST_BODY)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        body: bytes | None = None
        with anyio.move_on_after(BODY_SECONDS) as waiting:
            body = await _read(scope, receive, limit)
        if waiting.cancelled_caught:
            sentence = f"the body did not come within {BODY_SECONDS:.0f} s; send it again"
            await problem(408, "request-timeout", sentence, {}, CLOSE)(scope, receive, send)
        elif body is None:
            sentence = f"the body has more than {limit} bytes; send less at once"
            await problem(413, "content-too-large", sentence, {"limit": limit}, CLOSE)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)


CLOSE = {"Connection": "close"}


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The body; None when it has more than `limit` bytes, or says that it will."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        return None
    pieces, size = [], 0
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            return None
        if not message.get("more_body", False):
            return b"".join(pieces)


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    """A `receive` that gives the body once, and then what comes after it (that the caller has gone)."""
    given = False

    async def again() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
