"""The addresses of the webhooks: `POST /webhooks/FORGE`, a bounded body each, and a message once it is recorded.

Mounted by the application. A forge waits a few seconds at most, so all that happens before the answer is one look and
one short write; the engine hears of it after the answer, and the sweep sends what it did not hear. It runs nothing.
"""

import logging
import threading
from collections.abc import Iterable

from celery import Celery
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from farm_api.errors import BodyTooLargeError
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


def forges() -> tuple[Forge, ...]:
    """Every forge that has a door."""
    return (GitHub(), GitLab(), forgejo(), gitea(), Bitbucket(), Pagure(), PackageRelay())


def webhook_router(database: Database, app: Celery, settings: Settings, box: SecretBox) -> APIRouter:
    """The doors of all forges."""
    router = APIRouter(prefix="/webhooks", tags=["webhooks"])
    publisher = Publisher(app)
    for forge in forges():
        door = _Door(database, box, forge, publisher, settings.webhook_bytes)
        router.add_api_route(
            f"/{forge.name}",
            door.answer,
            methods=["POST"],
            name=f"webhook_{forge.name}",
            summary=f"A delivery of {forge.name}",
            status_code=202,
            responses={
                200: {"description": "This delivery came before; nothing was done"},
                400: {"description": "The body is no JSON object, or misses what its kind has"},
                401: {"description": "The delivery is not signed"},
                403: {"description": "The signature is wrong, or no project has this repository"},
                413: {"description": "The body is too large"},
            },
        )
    return router


class Publisher:
    """Tells the engine of events, one thread at a time: an engine that hangs holds up no answer."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._busy = threading.Lock()
        self._waiting: list[str] = []

    def publish(self, events: Iterable[str]) -> None:
        """Send a message for each; whoever is at it already sends these as well."""
        self._waiting.extend(events)
        while self._waiting and self._busy.acquire(blocking=False):
            try:
                self._send()
            finally:
                self._busy.release()

    def _send(self) -> None:
        while self._waiting:
            event = self._waiting.pop(0)
            try:
                publish_event(self._app, event)
            except EngineError as error:
                self._waiting.clear()
                LOG.warning("the sweep will send %s and what came with it: %s", event, error)


class _Door:
    """The door of one forge."""

    def __init__(
        self, database: Database, box: SecretBox, forge: Forge, publisher: Publisher, limit: int
    ) -> None:
        self._database = database
        self._box = box
        self._forge = forge
        self._publisher = publisher
        self._limit = limit

    async def answer(self, request: Request) -> JSONResponse:
        """Take a delivery: 202 when it is recorded, 200 when it was before."""
        body = await _read(request, self._limit)
        headers = {name: value for name, value in request.headers.items() if len(value) <= self._limit}
        found = await run_in_threadpool(receive, self._database, self._box, self._forge, headers, body)
        return JSONResponse(
            _document(found),
            status_code=200 if found.outcome == "known" else 202,
            background=BackgroundTask(self._publisher.publish, found.events) if found.events else None,
        )


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
    """
    sentence = f"the body is larger than {limit} bytes, which no event needs; send fewer commits at once"
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > limit:
        raise BodyTooLargeError(sentence, limit=limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLargeError(sentence, limit=limit)
    return bytes(body)
