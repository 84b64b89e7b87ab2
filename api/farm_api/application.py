"""The HTTP application: health, the REST API, the webhooks, and the pages mounted beside them.

Built by the server (and by tests) with the settings of the process. Routes are plain functions, run in threads. It
starts nothing, parses no guest's bytes, and has no state but its connections to the record and the engine.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from sqlmodel import select
from starlette.types import ASGIApp

from farm_api.page_guard import PageGuard
from farm_api.v1 import problems
from farm_api.v1.application import PREFIX, create_api
from farm_api.v1.shared_rates import SharedRates
from farm_api.webhooks.doors import webhook_router
from farm_dashboards.site import create_site
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
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
    rates = SharedRates(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        engine.close()
        rates.close()
        database.close()

    app = FastAPI(title="wheelfarm", docs_url=None, redoc_url=None, lifespan=lifespan)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Answers when the record does."""
        with database.read() as session:
            session.exec(select(1)).one()
        return {"status": "ok"}

    problems.install(app)
    app.include_router(webhook_router(database, engine, settings, secret_box(settings)))
    app.mount(PREFIX, create_api(database, settings, rates))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    site: ASGIApp = create_site(database, settings)
    if not settings.public_read:
        site = PageGuard(site, database, rates)
    app.mount("/", site)
    return app
