"""`/tokens`, `/whoami` and `/audit`: who may do what, and who did.

Included by application. A token's secret is in the answer that makes it and nowhere else: no list has it.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col, select

from farm_api.v1.callers import Admin, Maintainer, Reader, Submitter
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.shapes import NAME, After, Limit, Page, Shape, TokenId
from farm_scheduler import tokens
from farm_scheduler.access_tables import AccessToken, AuditEntry
from farm_scheduler.record_pages import read_page
from farm_scheduler.roles import Role

router = APIRouter(tags=["tokens"], route_class=Door)


class Token(Shape):
    """A token, without its secret."""

    id: str
    name: str
    role: Role
    project: str | None
    """The one project that it reaches; null for all."""
    maker: str
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    used: datetime | None
    """When it was last used, to the hour."""


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
    """For people: whose it is, and what for."""
    role: Role
    project: Annotated[str, Field(pattern=NAME)] | None = None
    days: Annotated[int, Field(ge=1, le=tokens.LONGEST_DAYS)] | None = 90
    """How long it is good; null for ever."""


class MadeToken(Shape):
    """A new token. Its secret is told only here."""

    token: Token
    secret: str


class TokenPage(Page[Token]):
    """A page of tokens."""


class Whoami(Shape):
    """Who asks, as the farm sees it."""

    actor: str
    role: Role | None
    project: str | None
    expires: datetime | None


class Change(Shape):
    """One change that somebody made."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    project: str | None
    details: dict[str, Any]


class ChangePage(Page[Change]):
    """A page of changes."""


@router.get("/whoami", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def whoami(caller: Reader, house: TheHouse) -> Whoami:
    """What the token that was sent is good for."""
    with house.database.read() as session:
        row = session.get(AccessToken, caller.actor)
    expires = row.expires if row else None
    return Whoami(actor=caller.actor, role=caller.role, project=caller.project, expires=expires)


@router.get("/tokens", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_tokens(caller: Maintainer, house: TheHouse, after: After = None, limit: Limit = 100) -> TokenPage:
    """The tokens: of the own project for a maintainer, all for an admin."""
    with house.database.read() as session:
        keys = [col(AccessToken.created), col(AccessToken.id)]
        page = read_page(session, tokens.visible_tokens(caller), keys, after=after, limit=limit)
        return TokenPage.model_validate({"items": page.rows, "next": page.next})


@router.post("/tokens", status_code=201, dependencies=REPEATABLE, responses=responses(409, 413))
def make_token(caller: Maintainer, house: TheHouse, wish: NewToken) -> MadeToken:
    """Make a token. Its secret is told once; a repeated Idempotency-Key answers 409."""
    with house.database.write() as session:
        row, secret = tokens.make_token(
            session, caller, name=wish.name, role=wish.role, project=wish.project, days=wish.days
        )
    return MadeToken(token=Token.model_validate(row), secret=secret)


@router.delete("/tokens/{token}", responses=responses(404))
def revoke_token(caller: Submitter, house: TheHouse, token: TokenId) -> Token:
    """End a token: one's own, or as a maintainer or admin another one."""
    with house.database.write() as session:
        return Token.model_validate(tokens.revoke_token(session, caller, token))


@router.get("/audit", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses()})
def list_changes(
    caller: Admin,
    house: TheHouse,
    actor: Annotated[str | None, Query(pattern=r"^[a-z0-9:._-]{1,64}$", description="Only theirs.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> ChangePage:
    """The audit log: every change that somebody made, newest first."""
    del caller
    chosen = select(AuditEntry)
    if actor is not None:
        chosen = chosen.where(AuditEntry.actor == actor)
    with house.database.read() as session:
        page = read_page(session, chosen, [col(AuditEntry.id)], after=after, limit=limit, descending=True)
        return ChangePage.model_validate({"items": page.rows, "next": page.next})
