"""Bodies of requests are bounded: in size, in time, and in how many are held at once.

The layer before the routes. It reads a whole body before anything else sees the request: every body is small, or one
piece of an upload, for which it first asks who sends it. It never looks into one.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import DBAPIError
from starlette.types import ASGIApp, Receive, Scope, Send

from farm_api.v1.callers import client_of, require
from farm_api.v1.problems import farm_problem, problem, record_problem
from farm_dashboards.places import Places
from farm_scheduler.errors import FarmError
from farm_scheduler.roles import Role
from farm_scheduler.uploads import LARGEST_PIECE

LARGEST_BODY = 64 << 10
PATIENCE_SECONDS = 20.0
SLOWEST = 32 << 10
"""Bytes per second: a body has its patience, and so much longer as what has come of it takes at this rate."""

DRAIN_SECONDS = 10.0
DRAINED = 64 << 20
"""Bytes of a refused body that are read and dropped: a client that still sends would not see the answer."""

PIECES_AT_ONCE = 8
PIECES_EACH = 2
"""Of one client: who sends more is told to come again."""

_PIECE = re.compile(r".*/uploads/[^/]+")


class BodyBounds:
    """The layer; `app` is what is behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._places = Places("pieces of uploads", PIECES_AT_ONCE, PIECES_EACH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and hand the request on, or refuse it."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        if scope["method"] == "PATCH" and _PIECE.fullmatch(scope["path"]):
            await self._piece(scope, receive, send)
            return
        await self._bounded(scope, receive, send, LARGEST_BODY)

    async def _piece(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a piece from somebody who may send one, and for whom there is a place."""
        try:
            client = await run_in_threadpool(_submitter, Request(scope))
            give_back = self._places.take(client)
        except (FarmError, DBAPIError) as error:
            with anyio.move_on_after(DRAIN_SECONDS):
                await _drain(receive, more=True)
            answer = farm_problem(error) if isinstance(error, FarmError) else record_problem(error)
            answer.headers.update(CLOSE)
            await answer(scope, receive, send)
            return
        try:
            await self._bounded(scope, receive, send, LARGEST_PIECE)
        finally:
            give_back()

    async def _bounded(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        body, more = None, False
        with anyio.move_on_after(PATIENCE_SECONDS) as patience:
            body, more = await _read(scope, receive, limit, patience)
        if patience.cancelled_caught:
            sentence = "the body came too slowly, or not at all; send it again, in smaller pieces"
            await problem(408, "request-timeout", sentence, {}, CLOSE)(scope, receive, send)
        elif body is None:
            with anyio.move_on_after(DRAIN_SECONDS):
                await _drain(receive, more=more)
            sentence = f"the body has more than {limit} bytes; send less at once"
            await problem(413, "content-too-large", sentence, {"limit": limit}, CLOSE)(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)


CLOSE = {"Connection": "close"}


def _submitter(request: Request) -> str:
    """Who sends a piece. Raises as `require` does."""
    require(Role.SUBMITTER)(request, None)
    return client_of(request)


async def _read(
    scope: Scope, receive: Receive, limit: int, patience: anyio.CancelScope
) -> tuple[bytes | None, bool]:
    """The body, or None when it has more than `limit` bytes or says that it will; and whether there is more to read."""
    announced = dict(scope["headers"]).get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > limit:
        return None, True
    pieces, size = [], 0
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        patience.deadline += len(pieces[-1]) / SLOWEST
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
