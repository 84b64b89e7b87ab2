"""The pages of a job: its attempts, steps, tests and log.

Mounted by site. Tests come a page at a time, the log piece by piece; nothing of a guest's stream is parsed here.
"""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from farm_dashboards.client_addresses import client_at
from farm_dashboards.log_reader import LogReader
from farm_dashboards.rendering import Pages
from farm_scheduler.database import Database
from farm_scheduler.installed_sets import find_sets
from farm_scheduler.job_report import JobReport, read_job
from farm_scheduler.log_pieces import CURSOR
from farm_scheduler.outcomes import Outcome, read_outcomes
from farm_scheduler.settings import Settings
from farm_scheduler.waiting import wait_of

LONGEST_SEARCH = 200

Number = Annotated[int | None, Query(ge=1, le=10_000)]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
Search = Annotated[str, Query(max_length=LONGEST_SEARCH)]
Cursor = Annotated[str | None, Query(pattern=f"^{CURSOR.pattern}$")]


def job_pages(database: Database, settings: Settings, pages: Pages) -> APIRouter:
    """The routes below `/runs/RUN/jobs/JOB`."""
    router = APIRouter(prefix="/runs/{run_id}/jobs/{job_id}")
    logs = LogReader(settings.home)

    @router.get("", response_class=HTMLResponse)
    def page(
        run_id: str,
        job_id: str,
        attempt: Number = None,
        state: Outcome | None = None,
        q: Search = "",
        page: PageNumber = 1,
    ) -> str:
        with database.read() as session:
            job = read_job(session, run_id, job_id, attempt)
            wait = wait_of(session, settings, job_id)
            sets = find_sets(session, job_id)
            state = state or (Outcome.FAILED if job.cell.failed or job.cell.bad else Outcome.ALL)
            tests = None
            if job.attempt is not None:
                tests = read_outcomes(session, job.attempt.id, outcome=state, search=q, page=page)
                if state is Outcome.FAILED and not tests.counts[state] and not q:
                    state = Outcome.ALL  # nothing to look into among the tests: show them
                    tests = read_outcomes(session, job.attempt.id, outcome=state, page=page)
        links = Links(job, attempt, state, q)
        shown = {"job": job, "wait": wait, "sets": sets, "tests": tests, "live": not job.cell.ended}
        return pages.render("job.html", **shown, state=state, q=q, links=links)

    @router.get("/log")
    def log(run_id: str, job_id: str, attempt: Number = None, after: Cursor = None) -> JSONResponse:
        with database.read() as session:
            found = read_job(session, run_id, job_id, attempt).attempt
        if found is None or found.stream_path is None:
            return JSONResponse(
                {"text": "", "cursor": after, "more": False, "ended": bool(found and found.ended)}
            )
        piece = logs.piece(found.stream_path, after, ended=found.ended)
        if piece is None:
            return JSONResponse({}, status_code=503)
        return JSONResponse({**piece, "ended": found.ended})

    @router.get("/log.txt")
    def whole_log(request: Request, run_id: str, job_id: str, attempt: Number = None) -> Response:
        with database.read() as session:
            found = read_job(session, run_id, job_id, attempt).attempt
        if found is None or found.stream_path is None:
            return PlainTextResponse("There is no log (any more).\n", status_code=404)
        client = client_at(request.client.host if request.client else None)
        return logs.whole(found.stream_path, client).response("text/plain; charset=utf-8")

    return router


class Links:
    """Addresses of the same page with something changed, relative to it."""

    def __init__(self, job: JobReport, attempt: int | None, state: Outcome, search: str) -> None:
        self._job = job.cell.job_id
        self._now = {"attempt": attempt, "state": state.value, "q": search}

    def tests(self, **changes: object) -> str:
        """With another filter, search or page."""
        return self._address({**self._now, **changes}) + "#tests"

    def attempt(self, number: int) -> str:
        """Of another attempt."""
        return self._address({"attempt": number})

    def log(self, name: str) -> str:
        """The address of the log (`log` or `log.txt`) of the attempt that is shown."""
        query = urlencode({"attempt": self._now["attempt"]} if self._now["attempt"] else {})
        return f"{self._job}/{name}" + (f"?{query}" if query else "")

    def _address(self, query: dict[str, object]) -> str:
        return self._job + "?" + urlencode({name: value for name, value in query.items() if value})
