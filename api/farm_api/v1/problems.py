"""Every error as `application/problem+json` (RFC 9457), with the stable code of the farm.

Installed by application, and named by every route in its responses. A problem never holds a traceback, and never what
the caller had no right to see.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from farm_api.v1.answer_headers import HEADERS
from farm_scheduler.errors import (
    AccessError,
    EngineError,
    FarmError,
    IdempotencyError,
    InputError,
    NoRoomError,
    NotFoundError,
    PreconditionError,
    ProjectError,
    RerunError,
    StateError,
    TokenError,
    TooBusyError,
    UploadError,
)

MEDIA_TYPE = "application/problem+json"
LOG = logging.getLogger(__name__)
STATUSES: Mapping[type[FarmError], int] = {
    TokenError: 401,
    AccessError: 403,
    NotFoundError: 404,
    ProjectError: 409,
    PreconditionError: 412,
    RerunError: 409,
    StateError: 409,
    TooBusyError: 429,
    EngineError: 503,
    NoRoomError: 507,
}
LONGEST_ERRORS = 20
INTERNAL = "internal"
"""The code of what nobody foresaw."""


class Problem(BaseModel):
    """What went wrong, after RFC 9457."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """`urn:wheelfarm:error:CODE`."""

    title: str
    """One sentence that says what to do."""

    status: int
    code: str
    """Stable: docs/errors.md has all of them."""

    data: dict[str, Any] = Field(default_factory=dict)
    """What the sentence is about, in parts; with `code` `request` the `errors` of each field."""


DESCRIPTIONS = {
    400: "What was given cannot be used.",
    401: "A token is needed, or the one that was sent is not good.",
    403: "The token is good, but not for this.",
    404: "There is no such thing, or none that the caller may see.",
    409: "Not now: its state is another, or the same request is being carried out.",
    412: "It is not as the If-Match says (any more), or has no ETag that one could name; nothing was changed.",
    413: "The body is too large.",
    422: "A parameter or the body is not of the shape that is documented, or the Idempotency-Key is another request's.",
    408: "The body did not come in its time.",
    429: "Too many requests; Retry-After says how long to wait.",
    500: "The farm's own fault; its log says more.",
    503: "The record or the queue does not answer, or too many streams are open; Retry-After says how long to wait.",
    507: "The farm's disk is full.",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of these errors, and of those that every route may give."""
    return _documented(*statuses, 400, 401, 403, 422, 429, 500, 503)


def of_changes() -> dict[str, dict[str, Any]]:
    """The documentation of what a body and an If-Match may lead to, whatever they are for."""
    return {str(status): told for status, told in _documented(408, 412, 413).items()}


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": DESCRIPTIONS[status], "content": content} for status in sorted(set(statuses))
    }


def install(app: FastAPI) -> None:
    """Give the application its handlers."""
    app.add_exception_handler(FarmError, _farm_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _record_error)
    app.add_exception_handler(Exception, _unexpected)


def status_of(error: FarmError) -> int:
    """The HTTP status of an error: its own where it has one."""
    if (own := getattr(type(error), "status", None)) is not None:
        return int(own)
    if isinstance(error, IdempotencyError):
        return 409 if error.data.get("busy") else 422
    if isinstance(error, UploadError):
        return 413 if error.data.get("too_large") else 409 if error.data.get("conflict") else 400
    if type(error) in STATUSES:
        return STATUSES[type(error)]
    return 400 if isinstance(error, InputError) else 500


def problem(
    status: int, code: str, title: str, data: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The response."""
    document = Problem(
        type=f"urn:wheelfarm:error:{code}", title=title, status=status, code=code, data=dict(data)
    )
    content = jsonable_encoder(document)
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def farm_problem(error: FarmError) -> JSONResponse:
    """The response to an error of the farm."""
    status = status_of(error)
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="wheelfarm"'
    if status in {429, 503} or (isinstance(error, IdempotencyError) and status == 409):
        headers["Retry-After"] = str(error.data.get("retry_after", 1))
    if status >= 500:
        LOG.warning("%s: %s", error.code, error.sentence)
    return problem(status, error.code, error.sentence, error.data, headers)


def _farm_error(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, FarmError), "installed for these"  # noqa: S101 - an invariant, for mypy
    return farm_problem(error)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, RequestValidationError), "installed for these"  # noqa: S101 - as above
    found = [
        {"where": [str(part) for part in each["loc"]], "message": str(each["msg"])}
        for each in error.errors()[:LONGEST_ERRORS]
    ]
    where = "/".join(found[0]["where"]) if found else "the request"
    what = found[0]["message"] if found else "not usable"
    if found and error.errors()[0]["type"] == "string_pattern_mismatch":
        what = "it is not of the form that /api/v1/openapi.json documents"
    sentence = f"{where}: {what}"
    if found and found[0]["where"][:1] == ["path"]:
        what = found[0]["where"][-1]
        sentence = f"the address names no {what} by an id that there could be, such as r-7f3k2m9q of a run"
    return problem(422, "request", sentence[:500], {"errors": found})


def _http_error(request: Request, error: Exception) -> JSONResponse:
    del request
    assert isinstance(error, HTTPException), "installed for these"  # noqa: S101 - as above
    phrase = HTTPStatus(error.status_code).phrase.lower()
    sentence = {404: "there is nothing at this address", 405: "this address does not do that"}.get(
        error.status_code, str(error.detail)
    )
    return problem(error.status_code, phrase.replace(" ", "-"), sentence, {}, error.headers)


def _record_error(request: Request, error: Exception) -> JSONResponse:
    del request
    return record_problem(error)


def record_problem(error: Exception) -> JSONResponse:
    """The response where the record does not answer."""
    LOG.error("the record does not answer: %s", error)
    sentence = "the farm's record does not answer; try again in a moment"
    return problem(503, "record", sentence, {}, {"Retry-After": "5"})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    LOG.error("%s %s failed unexpectedly", request.method, request.url.path, exc_info=error)
    sentence = "the farm failed unexpectedly; its log says more, so tell who runs it"
    return problem(500, INTERNAL, sentence, {}, HEADERS)
