"""Live states and logs as server-sent events, which go on where a connection broke (Last-Event-ID).

Included by application. The server keeps nothing between two connections: the id of an event is all that the next one
needs. A log's id is a place in it; a run's id is the digest of what was told, and where that is not what there is now,
the whole report is told again. A guest's stream is read by a child process, never here.
"""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from farm_api.v1.attempts import read_log_piece
from farm_api.v1.callers import Reader, TheClient
from farm_api.v1.door import Door
from farm_api.v1.house import House, TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_attempt, find_run
from farm_api.v1.shapes import AttemptId, Report, RunId
from farm_dashboards.places import HeldResponse
from farm_scheduler.errors import FarmError, TooBusyError
from farm_scheduler.log_pieces import CURSOR
from farm_scheduler.roles import Caller
from farm_scheduler.run_report import read_report
from farm_scheduler.states import RUN_ENDED

router = APIRouter(tags=["live"], route_class=Door)

LOOK_SECONDS = 0.5
QUIET_SECONDS = 15.0
"""A comment is sent after so long without an event, so that a dead connection is noticed."""

LONGEST_SECONDS = 600.0
"""A stream ends after so long, and the client comes back: its token is looked at again then."""

RETRY_MILLISECONDS = 1000
AGEING = ("seconds", "left_seconds")
EVENT_STREAM = "text/event-stream"
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
    **responses(404),
}
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
LastRun = Annotated[str | None, Header(alias="Last-Event-ID", pattern="^[0-9a-f]{32}$")]
LastPiece = Annotated[str | None, Header(alias="Last-Event-ID", pattern=f"^{CURSOR.pattern}$")]


@router.get("/runs/{run}/events", response_class=StreamingResponse, responses=STREAM)
async def watch_run(
    caller: Reader, house: TheHouse, client: TheClient, run: RunId, last: LastRun = None
) -> StreamingResponse:
    """A run while it goes on: `report` (all of it), then `run` and `cell` for what changed, at last `end`."""
    report = await run_sync(_read_report, house, caller, run)
    return _streamed(house, client, _run_events(house, caller, report, last))


@router.get("/attempts/{attempt}/log/events", response_class=StreamingResponse, responses=STREAM)
async def watch_log(
    caller: Reader, house: TheHouse, client: TheClient, attempt: AttemptId, last: LastPiece = None
) -> StreamingResponse:
    """A log while it grows: `log` events of whole lines, at last `end`."""
    await run_sync(_read_attempt, house, caller, attempt)
    return _streamed(house, client, _log_events(house, caller, attempt, last))


def _streamed(house: House, client: str, events: AsyncIterator[bytes]) -> StreamingResponse:
    """The response.

    Raises:
        TooBusyError: as many streams as there may be are open.
    """
    return HeldResponse(
        _bounded(events), house.streams.take(client),
        seconds=LONGEST_SECONDS + QUIET_SECONDS, media_type=EVENT_STREAM, headers=HEADERS,
    )  # fmt: skip


async def _bounded(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events, until the longest time is over; a failure ends the stream, and the client comes back."""
    deadline = time.monotonic() + LONGEST_SECONDS
    yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
    spoke = time.monotonic()
    async for event in events:
        if event or time.monotonic() - spoke > QUIET_SECONDS:
            spoke = time.monotonic()
            yield event or b": quiet\n\n"
        if time.monotonic() > deadline:
            return


async def _run_events(
    house: House, caller: Caller, report: Mapping[str, Any], last: str | None
) -> AsyncIterator[bytes]:
    told: dict[str, Any] | None = None
    while True:
        plain = _without_age(report)
        digest = _digest(plain)
        if told is None and digest != last:
            yield _event("report", report, digest)
        elif told is not None and plain != told:
            for event in _changes(told, plain, report, digest):
                yield event
        told = plain
        if report["state"] in {state.value for state in RUN_ENDED}:
            yield _event("end", {"state": report["state"], "exit_code": report["exit_code"]}, digest)
            return
        yield b""
        await anyio.sleep(LOOK_SECONDS)
        try:
            report = await run_sync(_read_report, house, caller, report["id"])
        except FarmError:
            return


def _changes(
    told: Mapping[str, Any], plain: Mapping[str, Any], report: Mapping[str, Any], digest: str
) -> list[bytes]:
    """An event for each cell that changed, and one for the run's own fields; the last has the new id."""
    before = {cell["job_id"]: cell for cell in told["cells"]}
    changed = [
        cell
        for cell, bare in zip(report["cells"], plain["cells"], strict=True)
        if before.get(bare["job_id"]) != bare
    ]
    if len(changed) > 1 and len(changed) == len(report["cells"]):
        return [_event("report", report, digest)]
    head = {name: value for name, value in report.items() if name != "cells"}
    return [*(_event("cell", cell, None) for cell in changed), _event("run", head, digest)]


async def _log_events(house: House, caller: Caller, attempt: str, cursor: str | None) -> AsyncIterator[bytes]:
    while True:
        try:
            row = await run_sync(_read_attempt, house, caller, attempt)
            piece = await run_sync(read_log_piece, house, row, cursor)
        except TooBusyError:
            yield b""
            await anyio.sleep(QUIET_SECONDS / 5)
            continue
        except FarmError:
            return
        if piece.text or piece.skipped:
            yield _event("log", {"text": piece.text, "skipped": piece.skipped}, piece.cursor)
        cursor = piece.cursor
        if piece.ended and not piece.more:
            yield _event("end", {"state": row.state.value}, cursor)
            return
        if not piece.more:
            yield b""
            await anyio.sleep(LOOK_SECONDS)


def _read_report(house: House, caller: Caller, run: str) -> dict[str, Any]:
    with house.database.read() as session:
        find_run(session, caller, run)
        report = Report.model_validate(read_report(session, run, failing=0))
    return report.model_dump(mode="json")


def _read_attempt(house: House, caller: Caller, attempt: str) -> Any:
    with house.database.read() as session:
        return find_attempt(session, caller, attempt)


def _without_age(report: Mapping[str, Any]) -> dict[str, Any]:
    """What only ages is no change."""
    bare = {name: value for name, value in report.items() if name not in AGEING}
    cells = [{name: value for name, value in cell.items() if name not in AGEING} for cell in report["cells"]]
    return {**bare, "cells": cells}


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:32]


def _event(kind: str, document: Mapping[str, Any], event_id: str | None) -> bytes:
    return format_sse_event(event=kind, data_str=json.dumps(document), id=event_id)
