"""The windows: pages that show the runs of the farm, as an application of its own.

Mounted by farm_api's factory. Pages are read-only and say what `wheelfarm results` says; nothing here parses what a
guest wrote, and nothing of a guest is shown that did not pass guest_text.
"""

from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response

from farm_dashboards.job_pages import job_pages
from farm_dashboards.rendering import Pages
from farm_dashboards.set_pages import set_pages
from farm_scheduler.database import Database
from farm_scheduler.errors import NotFoundError, TooBusyError
from farm_scheduler.run_list import recent_runs
from farm_scheduler.run_report import read_report
from farm_scheduler.settings import Settings
from farm_scheduler.waiting import read_queue

FOLDER = Path(__file__).parent
RUNS_SHOWN = 50
JOBS_SHOWN = 100
LONGEST_NAME = 200

Name = Annotated[str | None, Query(max_length=LONGEST_NAME)]
FAILING_SHOWN = 5
"""Failing tests of a cell on the page of its run; the page of its job has all."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_site(database: Database, settings: Settings) -> FastAPI:
    """The pages over this record."""
    site = FastAPI(openapi_url=None)
    pages = Pages(FOLDER / "templates")
    site.mount("/static", StaticFiles(directory=FOLDER / "static"), name="static")

    @site.get("/", response_class=HTMLResponse)
    def index() -> str:
        with database.read() as session:
            runs = recent_runs(session, limit=RUNS_SHOWN)
        return pages.render("index.html", runs=runs, live=any(not run.ended for run in runs))

    @site.get("/runs/{run_id}", response_class=HTMLResponse)
    def run(run_id: str) -> str:
        with database.read() as session:
            report = read_report(session, run_id, failing=FAILING_SHOWN)
        return pages.render("run.html", run=report, live=not report.ended)

    @site.get("/queue", response_class=HTMLResponse)
    def queue(project: Name = None) -> str:
        with database.read() as session:
            found = read_queue(session, settings, most=JOBS_SHOWN, project=project)
        return pages.render("queue.html", queue=found, project=project, live=True)

    site.include_router(job_pages(database, settings, pages))
    site.include_router(set_pages(database, pages))

    @site.exception_handler(NotFoundError)
    @site.exception_handler(TooBusyError)
    @site.exception_handler(RequestValidationError)
    @site.exception_handler(HTTPException)
    def refused(request: Request, error: Exception) -> HTMLResponse:
        del request
        code, sentence, headers = _told(error)
        page = pages.render("error.html", sentence=sentence, live=False)
        return HTMLResponse(page, status_code=code, headers=headers)

    @site.middleware("http")
    async def protect(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update(HEADERS)
        if not request.url.path.rpartition("/static/")[1]:
            response.headers["Cache-Control"] = "no-store"
        return response

    return site


def _told(error: Exception) -> tuple[int, str, dict[str, str]]:
    """The status, the sentence and the headers of a page that says what is wrong."""
    if isinstance(error, TooBusyError):
        return 429, error.sentence, {"Retry-After": str(error.data["retry_after"])}
    if isinstance(error, RequestValidationError):
        where = ", ".join(dict.fromkeys(str(each["loc"][-1]) for each in error.errors()))
        return 422, f"The address has a value that cannot be: {where[:LONGEST_NAME]}.", {}
    if isinstance(error, NotFoundError):
        return 404, error.sentence, {}
    code = error.status_code if isinstance(error, HTTPException) else 500
    return code, "There is no such page.", {}
