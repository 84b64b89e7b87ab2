"""The addresses of the webhooks: `POST /webhooks/FORGE`, a bounded body each, and a message once it is recorded.

Mounted by the application. A forge waits a few seconds at most, so all that happens before the answer is one look and
one short write; the engine hears of it in another thread, and the sweep sends what it did not hear. It runs nothing.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterable
from functools import partial
from queue import Empty, SimpleQueue

from anyio import CapacityLimiter, to_thread
from celery import Celery
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect

from farm_api.errors import BodyError, BodyTooLargeError
from farm_api.webhooks.bitbucket import Bitbucket
from farm_api.webhooks.forge import Forge
from farm_api.webhooks.gitea import forgejo, gitea
from farm_api.webhooks.github import GitHub
from farm_api.webhooks.gitlab import GitLab
from farm_api.webhooks.package_relay import PackageRelay
from farm_api.webhooks.pagure import Pagure
from farm_api.webhooks.reception import Answer, receive
from farm_scheduler.database import Database
from farm_scheduler.engine import publish_event
from farm_scheduler.errors import EngineError
from farm_scheduler.secret_box import SecretBox
from farm_scheduler.settings import Settings

LOG = logging.getLogger(__name__)

BODY_SECONDS = 20.0

GATHER_SECONDS = 0.02
AT_ONCE = 200
"""Events that come within that time share a message: sending one costs as much as recording one."""

THREADS = 4
"""Deliveries that are worked on at a time: more would only wait for one another, and for the pages' threads."""


def forges() -> tuple[Forge, ...]:
    """Every forge that has a door."""
    return (GitHub(), GitLab(), forgejo(), gitea(), Bitbucket(), Pagure(), PackageRelay())


def webhook_router(database: Database, app: Celery, settings: Settings, box: SecretBox) -> APIRouter:
    """The doors of all forges."""
    router = APIRouter(prefix="/webhooks", tags=["webhooks"])
    publisher = Publisher(app)
    limiter = CapacityLimiter(THREADS)
    for forge in forges():
        door = _Door(database, box, forge, publisher, settings.webhook_bytes, limiter)
        router.add_api_route(
            f"/{forge.name}",
            door.answer,
            methods=["POST"],
            name=f"webhook_{forge.name}",
            summary=f"A delivery of {forge.name}",
            status_code=202,
            responses={
                200: {"description": "This delivery came before, or its signed body; nothing was done"},
                400: {"description": "The body is no JSON object, or misses what its kind has"},
                401: {"description": "The delivery is not signed"},
                403: {"description": "The signature is wrong, or no project has this repository"},
                413: {"description": "The body is too large"},
            },
        )
    return router


class Publisher:
    """Tells the engine of events, in a thread of its own: an engine that hangs holds up no answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._waiting: SimpleQueue[str] = SimpleQueue()
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None

    def publish(self, events: Iterable[str]) -> None:
        """Send a message for each, soon."""
        for event in events:
            self._waiting.put(event)
        with self._start:
            if self._thread is None:
                # It ends with the process: what it has not sent by then, the sweep sends.
                self._thread = threading.Thread(target=self._send, name="publisher", daemon=True)
                self._thread.start()

    def _send(self) -> None:
        while True:
            events = [self._waiting.get()]
            time.sleep(GATHER_SECONDS)
            with contextlib.suppress(Empty):
                while len(events) < AT_ONCE:
                    events.append(self._waiting.get_nowait())
            try:
                publish_event(self._app, *events)
            except EngineError as error:
                LOG.warning("the sweep will send %s: %s", ", ".join(events), error)


class _Door:
    """The door of one forge."""

    def __init__(
        self,
        database: Database,
        box: SecretBox,
        forge: Forge,
        publisher: Publisher,
        limit: int,
        limiter: CapacityLimiter,
    ) -> None:
        self._database = database
        self._box = box
        self._forge = forge
        self._publisher = publisher
        self._limit = limit
        self._limiter = limiter

    async def answer(self, request: Request) -> JSONResponse:
        """Take a delivery: 202 when it is recorded, 200 when it was before."""
        body = await _read(request, self._limit)
        headers = {name: value for name, value in request.headers.items() if len(value) <= self._limit}
        work = partial(receive, self._database, self._box, self._forge, headers, body)
        found = await to_thread.run_sync(work, limiter=self._limiter)
        self._publisher.publish(found.events)
        return JSONResponse(_document(found), status_code=200 if found.outcome == "known" else 202)


def _document(found: Answer) -> dict[str, object]:
    return {
        "outcome": found.outcome,
        "delivery": found.delivery,
        "events": list(found.events),
        "reason": found.reason,
    }


async def _read(request: Request, limit: int) -> bytes:
    """The body, read no further than it may be.

    Raises:
        BodyTooLargeError: it is larger.
        BodyError: it did not come, or not in time.
    """
    sentence = f"the body is larger than {limit} bytes, which no event needs; send fewer commits at once"
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        raise BodyTooLargeError(sentence, limit=limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLargeError(sentence, limit=limit)
    except (TimeoutError, ClientDisconnect) as error:
        raise BodyError(f"the body did not come whole within {BODY_SECONDS:g} s; send it again") from error
    return bytes(body)
