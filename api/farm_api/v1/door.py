"""The kind of route that the API has: GET with validators, POST that can be repeated without harm.

Used by every router of the API. A GET has an ETag and answers 304 to an If-None-Match that has it (RFC 9110); a POST
with an Idempotency-Key is carried out once; an If-Match that a route does not look at is refused. It never looks at
what a request is about.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from farm_api.v1.callers import caller_of
from farm_api.v1.house import house_of
from farm_api.v1.matches import etag_of, match_of, tags_in
from farm_api.v1.problems import status_of
from farm_scheduler import kept_answers
from farm_scheduler.errors import FarmError, PreconditionError
from farm_scheduler.roles import Role

IDEMPOTENCY_KEY = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
NOT_KEPT = "secret"
"""An answer with this field is not kept: the request cannot be repeated, and is not carried out again either."""

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="Yours, new for each request: the same key and body again give the same answer, for a day.",
    ),
]
ValidatorHeader = Annotated[
    str | None, Header(alias="If-None-Match", description="The ETag of an answer that you have.")
]

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _documented_key(idempotency_key: KeyHeader = None) -> None:
    """For the documentation: Door reads the header."""


def _documented_validator(if_none_match: ValidatorHeader = None) -> None:
    """For the documentation: Door reads the header."""


CONDITIONAL = [Depends(_documented_validator)]
REPEATABLE = [Depends(_documented_key)]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What you have is what there is."}}


class Door(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Handler:
        """The handler, wrapped."""
        inner = super().get_route_handler()
        if "GET" in (self.methods or ()):
            return _validated(inner)
        if "POST" in (self.methods or ()):
            inner = _once(inner)
        looked_at = any(each.call is match_of for each in self.dependant.dependencies)
        return inner if looked_at else _unmatched(inner)


def _unmatched(inner: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        if "if-match" in request.headers:
            await run_in_threadpool(caller_of, request)  # who is to be counted, or has no good token
            sentence = "nothing at this address has an ETag that a change could match; send no If-Match"
            raise PreconditionError(sentence)
        return await inner(request)

    return handle


def _validated(inner: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        response = await inner(request)
        if response.status_code != 200 or isinstance(response, StreamingResponse):
            return response
        if "etag" not in response.headers:
            response.headers["etag"] = etag_of(bytes(response.body))
        response.headers.setdefault("cache-control", "private, no-cache")
        if _has(tags_in(request, "if-none-match"), response.headers["etag"]):
            kept = {name: response.headers[name] for name in ("etag", "cache-control")}
            return Response(status_code=304, headers=kept)
        return response

    return handle


def _has(tags: list[str] | None, etag: str) -> bool:
    named = [each.removeprefix("W/") for each in tags or ()]
    return "*" in named or etag.removeprefix("W/") in named


def _once(inner: Handler) -> Handler:
    async def handle(request: Request) -> Response:
        key = request.headers.get(IDEMPOTENCY_KEY)
        if not key or len(key) > 200:
            return await inner(request)
        caller = await run_in_threadpool(caller_of, request)
        if not caller.may(Role.SUBMITTER):
            return await inner(request)  # it will be refused, and nothing is written for it
        database = house_of(request).database
        digest = hashlib.sha256(request.url.path.encode() + b"\0" + await request.body()).hexdigest()
        known = await run_in_threadpool(kept_answers.begin, database, caller.actor, key, digest)
        if isinstance(known, kept_answers.Answer):
            return _again(known)
        request.state.reserved = known
        answer: kept_answers.Answer | None = kept_answers.Answer(status=500, body="")
        try:
            response = await inner(request)
            answer = _to_keep(response)
        except (FarmError, HTTPException, RequestValidationError) as error:
            if not isinstance(error, FarmError) or status_of(error) < 500:
                answer = None
            raise
        finally:
            await run_in_threadpool(kept_answers.keep, database, caller.actor, key, answer)
        return response

    return handle


def _to_keep(response: Response) -> kept_answers.Answer:
    """What is kept of an answer: a secret never is."""
    body = bytes(response.body).decode()
    if body and NOT_KEPT in json.loads(body):
        gone = {
            "type": "urn:wheelfarm:error:idempotency",
            "title": "this was made before, and its secret is told once; end it and make another",
            "status": 409,
            "code": "idempotency",
            "data": {},
        }
        return kept_answers.Answer(status=409, body=json.dumps(gone))
    return kept_answers.Answer(status=response.status_code, body=body)


def _again(known: kept_answers.Answer) -> Response:
    media = "application/json" if known.status < 400 else "application/problem+json"
    if not known.body:
        return Response(status_code=known.status, headers={REPLAYED: "true"})
    content = json.loads(known.body)
    return JSONResponse(content, status_code=known.status, media_type=media, headers={REPLAYED: "true"})
