"""The REST API as an application of its own, below `/api/v1`.

Built by farm_api's factory, and by tests. Its OpenAPI document is whole: every response, every error. It has no pages,
parses no guest's bytes, and fetches nothing of a project.
"""

from typing import Any

from fastapi import FastAPI

from farm_api.v1 import (
    attempts,
    events,
    followings,
    garbage,
    images,
    jobs,
    listeners,
    problems,
    projects,
    redelivery,
    run_files,
    runs,
    sets,
    streams,
    tokens,
    uploads,
    webhook_secrets,
)
from farm_api.v1.answer_headers import AnswerHeaders
from farm_api.v1.body_bounds import BodyBounds
from farm_api.v1.house import House
from farm_api.v1.rates import Rates
from farm_dashboards.log_reader import LogReader
from farm_dashboards.places import Places
from farm_scheduler.database import Database
from farm_scheduler.engine import celery_app
from farm_scheduler.settings import Settings

PREFIX = "/api/v1"
STREAMS_AT_ONCE = 64
STREAMS_EACH = 16
BODIED = {"post", "put", "patch", "delete"}
"""Methods whose bodies are read, and bounded, before anything else."""

DESCRIPTION = """A build farm for Python, over HTTP.

Lists come in pages: `next` of one is `after` of the next. GET answers have an ETag; with it in `If-Match` nothing is
changed but what was read (412). A POST with an `Idempotency-Key` is carried out once. Every error
is `application/problem+json` (RFC 9457) with a stable `code`.
"""


def create_api(database: Database, settings: Settings, rates: Rates | None = None) -> FastAPI:
    """The API over this record; without `rates` this process alone counts its callers."""
    app = FastAPI(
        title="wheelfarm", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None,
        servers=[{"url": PREFIX}], root_path_in_servers=False, separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    app.state.house = House(
        database=database,
        settings=settings,
        engine=celery_app(settings),
        rates=rates or Rates(settings.requests_per_minute),
        logs=LogReader(settings.home),
        streams=Places("live streams", STREAMS_AT_ONCE, STREAMS_EACH),
    )
    for router in (
        projects.router,
        webhook_secrets.router,
        followings.router,
        listeners.router,
        redelivery.router,
        runs.router,
        run_files.router,
        streams.router,
        jobs.router,
        sets.router,
        events.router,
        attempts.router,
        images.router,
        garbage.router,
        uploads.router,
        tokens.router,
    ):
        app.include_router(router)
    problems.install(app)
    app.add_middleware(BodyBounds)
    app.add_middleware(AnswerHeaders)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the shape of every error in it."""
    if app.openapi_schema is None:
        found = FastAPI.openapi(app)
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = problems.Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in found["paths"].values():
            for method in BODIED & set(operations):
                operations[method]["responses"] |= problems.of_changes()
        app.openapi_schema = found
    return app.openapi_schema
