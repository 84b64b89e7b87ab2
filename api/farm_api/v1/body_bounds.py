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
DRAIN_SECONDS = 10.0
DRAINED = 64 << 20
"""Bytes of a refused body that are read and dropped: a client that still sends would not see the answer."""

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
        body, more = None, False
        with anyio.move_on_after(BODY_SECONDS) as waiting:
            body, more = await _read(scope, receive, limit)
        if waiting.cancelled_caught:
            sentence = f"the body did not come within {BODY_SECONDS:.0f} s; send it again"
            await problem(408, "request-timeout", sentence, {}, CLOSE)(scope, receive, send)
        elif body is None:
            with anyio.move_on_after(DRAIN_SECONDS):
                await _drain(receive, more=more)
            sentence = f"the body has more than {limit} bytes; send less at once"
            await problem(413, "content-too-large", sentence, {"limit": limit}, CLOSE)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)


CLOSE = {"Connection": "close"}


async def _read(scope: Scope, receive: Receive, limit: int) -> tuple[bytes | None, bool]:
    """The body, or None when it has more than `limit` bytes or says that it will; and whether there is more to read."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        return None, True
    pieces, size = [], 0
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        more = message.get("more_body", False)
        if size > limit:
            return None, more
        if not more:
            return b"".join(pieces), False


async def _drain(receive: Receive, *, more: bool) -> None:
    """Read on to the end of a body, or to the bound."""
    left = DRAINED
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)


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
