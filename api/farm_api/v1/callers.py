"""Who makes a request, and whether they may: a bearer token (RFC 6750), or nobody in particular.

Used by every route as a parameter. A token is looked for in its header only: what a browser sends by itself (cookies,
Basic) opens nothing here. It never says why a token is not good.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from farm_api.v1.house import House, house_of
from farm_dashboards.client_addresses import client_at
from farm_scheduler.errors import AccessError, NotFoundError, TokenError
from farm_scheduler.roles import Caller, Role
from farm_scheduler.tokens import find_caller, note_use

ANONYMOUS = "anonymous"
BEARER = HTTPBearer(
    auto_error=False, bearerFormat="wf_…", description="A token of the farm: `wheelfarm token make`."
)
WRONG_TOKEN_COST = 20.0
"""A wrong token costs its address as much as so many requests."""

Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


def caller_of(request: Request) -> Caller:
    """Who makes this request; counted, and looked for in the record once.

    Raises:
        TokenError: there is a token, and it is not good.
        TooBusyError: too many requests.
    """
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    house = house_of(request)
    found = _identify(request, house)
    request.state.caller = found
    return found


def _identify(request: Request, house: House) -> Caller:
    address = _address(request)
    header = request.headers.get("authorization")
    if header is None:
        house.rates.take(address)
        return Caller(actor=ANONYMOUS, role=Role.READER if house.settings.public_read else None)
    scheme, _, secret = header.partition(" ")
    with house.database.read() as session:
        found = find_caller(session, secret.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        house.rates.take(address, WRONG_TOKEN_COST)
        sentence = "the token is wrong, revoked or expired; get another one, and send it as `Bearer wf_…`"
        raise TokenError(sentence)
    house.rates.take(found.actor)
    if house.rates.is_first_in_hour(found.actor):
        with house.database.write() as session:
            note_use(session, found.actor)
    return found


def require(role: Role) -> Callable[[Request, Bearer], Caller]:
    """A dependency that gives the caller, who has at least this role.

    It raises TokenError for somebody without a token, and AccessError for one whose token is not enough.
    """

    def check(request: Request, _credentials: Bearer) -> Caller:
        caller = caller_of(request)
        if caller.may(role):
            return caller
        if caller.actor == ANONYMOUS:
            raise TokenError(f"this needs a token with the role {role.value}; send it as `Bearer wf_…`")
        sentence = f"this needs the role {role.value}, and the token has {caller.role}; ask an admin for one"
        raise AccessError(sentence, role=role.value)

    return check


def check_reach(caller: Caller, project: str, what: str) -> None:
    """Hide what belongs to another project, by the farm's own name for it, than the caller's.

    Raises:
        NotFoundError: as for what is not there, so that its existence is no secret told.
    """
    if not caller.reaches(project):
        raise unseen(what)


def unseen(what: str) -> NotFoundError:
    """The error for what belongs to somebody else."""
    return NotFoundError(f"there is no {what} that this token may see")


def client_of(request: Request) -> str:
    """Whom what is held open counts for: the token, or the address of somebody without one. Raises as caller_of."""
    caller = caller_of(request)
    return _address(request) if caller.actor == ANONYMOUS else caller.actor


def _address(request: Request) -> str:
    return client_at(request.client.host if request.client else None)


TheClient = Annotated[str, Depends(client_of)]
Reader = Annotated[Caller, Depends(require(Role.READER))]
Submitter = Annotated[Caller, Depends(require(Role.SUBMITTER))]
Maintainer = Annotated[Caller, Depends(require(Role.MAINTAINER))]
Admin = Annotated[Caller, Depends(require(Role.ADMIN))]
