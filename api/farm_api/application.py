"""The HTTP application: health, the webhooks, and the pages mounted beside them.

Built by the server (and by tests) with the settings of the process. Routes are plain functions, run in threads. It
starts nothing, parses no guest's bytes, and has no state but its connections to the record and the engine.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import JSONResponse
from sqlmodel import select

from farm_api.webhooks.doors import webhook_router
from farm_dashboards.site import create_site
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import FarmError, InputError, NotFoundError
from farm_scheduler.schema import upgrade
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings


def create_app(settings: Settings, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The application over the record that the settings name; the record is brought to this program's schema.

    `hosts` are the names that it answers to: any page may make a browser ask a server of this machine by another name.

    Raises:
        RecordError: the record cannot be opened or is newer than this program.
    """
    database = Database(settings.record_url)
    upgrade(database)
    engine = celery_app(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.close()
        database.close()

    app = FastAPI(title="wheelfarm", docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Answers when the record does."""
        with database.read() as session:
            session.exec(select(1)).one()
        return {"status": "ok"}

    @app.exception_handler(FarmError)
    def problem(request: Request, error: FarmError) -> JSONResponse:
        """Every error of the farm as `application/problem+json` (RFC 9457)."""
        del request
        document = {"type": f"urn:wheelfarm:error:{error.code}", "title": error.sentence, "code": error.code}
        status = status_of(error)
        content = {**document, "status": status, "data": error.data}
        return JSONResponse(content, status_code=status, media_type="application/problem+json")

    app.include_router(webhook_router(database, engine, settings, secret_box(settings)))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.mount("/", create_site(database, settings))
    return app


def status_of(error: FarmError) -> int:
    """The HTTP status of an error: its own, or 404 for what is not there, 400 for bad input, 500 for our own fault."""
    if (own := getattr(type(error), "status", None)) is not None:
        return int(own)
    if isinstance(error, NotFoundError):
        return 404
    return 400 if isinstance(error, InputError) else 500
