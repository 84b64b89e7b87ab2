"""`/attempts`: one try of a job, with its steps, its tests, its log, and its evidence as a file.

Included by application. A guest's stream is never parsed in this process: the evidence goes out as it came, and the log
is read by a child.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response, StreamingResponse
from pydantic import Field
from sqlmodel import col, func, select

from farm_api.v1.callers import Reader, TheClient
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_attempt
from farm_api.v1.shapes import After, Artifact, Attempt, AttemptId, Limit, Page, Shape, Step, Test
from farm_scheduler import tables
from farm_scheduler.errors import NotFoundError, TooBusyError
from farm_scheduler.log_pieces import CURSOR
from farm_scheduler.outcomes import STATUSES, Outcome
from farm_scheduler.record_pages import read_page
from farm_scheduler.states import ATTEMPT_ENDED

router = APIRouter(prefix="/attempts/{attempt}", tags=["attempts"], route_class=Door)

SUBUNIT = "application/vnd.subunit"
LogCursor = Annotated[
    str | None, Query(pattern=f"^{CURSOR.pattern}$", description="`cursor` of the piece before.")
]
Search = Annotated[
    str | None, Query(pattern=r"^[^\x00]{1,200}$", description="Only tests with this in their name.")
]


class TestPage(Page[Test]):
    """A page of tests."""


class LogPiece(Shape):
    """A piece of a log, made harmless for screens."""

    text: str
    skipped: bool
    """Whether there is text before it that no piece gave."""
    cursor: str | None
    """For the next piece."""
    more: bool
    """Whether there is more already."""
    ended: bool
    """Whether the attempt has ended: then there is no more to come."""


class Steps(Shape):
    """The steps of an attempt, in the order in which they began."""

    items: list[Step] = Field(default_factory=list)


class Artifacts(Shape):
    """What there is to fetch."""

    items: list[Artifact] = Field(default_factory=list)


def file_responses(media_type: str) -> dict[int | str, dict[str, Any]]:
    """The documentation of a route that gives a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": "The file.", "content": content}, **responses(404)}


@router.get("", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_attempt(caller: Reader, house: TheHouse, attempt: AttemptId) -> Attempt:
    """One attempt."""
    with house.database.read() as session:
        return Attempt.model_validate(find_attempt(session, caller, attempt))


@router.get("/steps", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_steps(caller: Reader, house: TheHouse, attempt: AttemptId) -> Steps:
    """What was done in the machine."""
    with house.database.read() as session:
        find_attempt(session, caller, attempt)
        chosen = select(tables.Step).where(tables.Step.attempt_id == attempt).order_by(col(tables.Step.id))
        return Steps.model_validate({"items": session.exec(chosen).all()})


@router.get("/tests", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_tests(
    caller: Reader,
    house: TheHouse,
    attempt: AttemptId,
    *,
    outcome: Outcome = Outcome.ALL,
    search: Search = None,
    after: After = None,
    limit: Limit = 100,
) -> TestPage:
    """The tests of an attempt, in the order in which they ended."""
    chosen = select(tables.Test).where(tables.Test.attempt_id == attempt)
    if outcome is not Outcome.ALL:
        chosen = chosen.where(col(tables.Test.status).in_(STATUSES[outcome]))
    if search:
        text = func.lower(col(tables.Test.environment) + " " + col(tables.Test.name))
        chosen = chosen.where(text.contains(search.lower(), autoescape=True))
    with house.database.read() as session:
        find_attempt(session, caller, attempt)
        page = read_page(session, chosen, [col(tables.Test.id)], after=after, limit=limit)
        return TestPage.model_validate({"items": page.rows, "next": page.next})


@router.get("/artifacts", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_artifacts(caller: Reader, house: TheHouse, attempt: AttemptId) -> Artifacts:
    """The files that there are of an attempt; none once its evidence was removed."""
    with house.database.read() as session:
        row = find_attempt(session, caller, attempt)
    if row.stream_path is None:
        return Artifacts()
    here = f"/attempts/{attempt}"
    evidence = Artifact(
        name="evidence.subunit", media_type=SUBUNIT, bytes=row.stream_bytes, href=f"{here}/evidence.subunit"
    )
    log = Artifact(name="log.txt", media_type="text/plain", bytes=None, href=f"{here}/log.txt")
    return Artifacts(items=[evidence, log])


@router.get("/evidence.subunit", response_class=FileResponse, responses=file_responses(SUBUNIT))
def get_evidence(caller: Reader, house: TheHouse, attempt: AttemptId) -> Response:
    """The stream (subunit v2) that left the machine, byte by byte as it came."""
    row = _with_stream(caller, house, attempt)
    path = house.settings.home / str(row.stream_path)
    if not path.is_file():
        raise NotFoundError(f"the evidence of {attempt} was removed", attempt=attempt)
    return FileResponse(path, stat_result=path.stat(), media_type=SUBUNIT, filename=f"{attempt}.subunit")


@router.get("/log.txt", response_class=StreamingResponse, responses=file_responses("text/plain"))
def get_log(caller: Reader, house: TheHouse, client: TheClient, attempt: AttemptId) -> Response:
    """All that was written in the machine so far, made harmless for screens."""
    row = _with_stream(caller, house, attempt)
    return house.logs.whole(str(row.stream_path), client).response("text/plain; charset=utf-8")


@router.get("/log", responses=responses(404))
def get_log_piece(caller: Reader, house: TheHouse, attempt: AttemptId, after: LogCursor = None) -> LogPiece:
    """The log piece by piece: first its end, then what came after the cursor."""
    with house.database.read() as session:
        row = find_attempt(session, caller, attempt)
    return read_log_piece(house, row, after)


def read_log_piece(house: TheHouse, row: tables.Attempt, after: str | None) -> LogPiece:
    """A piece; an empty one where there is no stream (yet, or any more).

    Raises:
        TooBusyError: too many logs are being read.
    """
    ended = row.state in ATTEMPT_ENDED
    if row.stream_path is None:
        return LogPiece(text="", skipped=False, cursor=after, more=False, ended=ended)
    piece = house.logs.piece(row.stream_path, after, ended=ended)
    if piece is None:
        raise TooBusyError("too many logs are being read; ask again in a moment", retry_after=2)
    return LogPiece.model_validate({**piece, "ended": ended})


def _with_stream(caller: Reader, house: TheHouse, attempt: str) -> tables.Attempt:
    with house.database.read() as session:
        row = find_attempt(session, caller, attempt)
    if row.stream_path is None:
        raise NotFoundError(f"there is no evidence of {attempt} (any more)", attempt=attempt)
    return row
