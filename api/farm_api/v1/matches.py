"""Validators (RFC 9110): the ETag of an answer, and the If-Match of a request that would change what was read.

Used by door, and by the routers whose resources can be read: they compare inside the transaction of the change, so
that nothing comes between. It never looks at what a resource is.
"""

import hashlib
from typing import Annotated

from fastapi import Depends, Header, Request
from pydantic import BaseModel

from farm_scheduler.errors import PreconditionError

MatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match", description="The ETag that a GET of this address gave: 412 if it is another by now."
    ),
]


class Match:
    """The If-Match of a request; without one everything holds."""

    def __init__(self, request: Request) -> None:
        self._tags = tags_in(request, "if-match")

    def check(self, there: BaseModel | None) -> None:
        """Compare with what a GET would give now; None where there is nothing. Weak tags are never good here.

        Raises:
            PreconditionError: it is something else.
        """
        if self._tags is None:
            return
        if there is None:
            raise PreconditionError("there is nothing yet that an If-Match could name; send it without one")
        if self._tags != ["*"] and etag_of(there.model_dump_json(by_alias=True).encode()) not in self._tags:
            sentence = (
                "it is not as the If-Match says (any more); read it again, and send the ETag that it has now"
            )
            raise PreconditionError(sentence)


def match_of(request: Request, if_match: MatchHeader = None) -> Match:
    """The If-Match of a request; the parameter is for the documentation, as the header may come in several lines."""
    del if_match
    return Match(request)


def etag_of(body: bytes) -> str:
    """The ETag of an answer with this body: a strong one."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def tags_in(request: Request, name: str) -> list[str] | None:
    """The tags of a header; None without it. A comma in a tag is of no harm, as none of the farm's has one."""
    lines = request.headers.getlist(name)
    return [tag.strip() for line in lines for tag in line.split(",")] if lines else None


IfMatch = Annotated[Match, Depends(match_of)]
