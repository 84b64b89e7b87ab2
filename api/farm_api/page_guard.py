"""The pages of a farm that is not for everybody to read: a browser gives a token as the password.

Wraps the pages in application where `WHEELFARM_PUBLIC_READ` is off. HTTP Basic (RFC 7617) opens pages only, which
change nothing, and never the API: browsers send it by themselves.
"""

import base64
import binascii

from fastapi.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from farm_api.v1.callers import WRONG_TOKEN_COST
from farm_api.v1.rates import Rates
from farm_dashboards.client_addresses import client_at
from farm_scheduler.database import Database
from farm_scheduler.errors import TooBusyError
from farm_scheduler.roles import Role
from farm_scheduler.tokens import find_caller

CHALLENGE = {"WWW-Authenticate": 'Basic realm="wheelfarm: a token as the password", charset="UTF-8"'}


class PageGuard:
    """Pages for those with a token that reaches every project.

    Args:
        pages: what is guarded.
        database: where tokens are looked for.
        rates: how often an address may try.
    """

    def __init__(self, pages: ASGIApp, database: Database, rates: Rates) -> None:
        self._pages = pages
        self._database = database
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page, or ask for the token."""
        if scope["type"] != "http":
            return
        address = client_at((scope.get("client") or [None])[0])
        header = Headers(scope=scope).get("authorization", "")
        try:
            if await run_in_threadpool(self._opens, header, address):
                await self._pages(scope, receive, send)
                return
        except TooBusyError as error:
            headers = {"Retry-After": str(error.data["retry_after"])}
            answer = PlainTextResponse(error.sentence, status_code=429, headers=headers)
            await answer(scope, receive, send)
            return
        answer = PlainTextResponse("a token of this farm is needed\n", status_code=401, headers=CHALLENGE)
        await answer(scope, receive, send)

    def _opens(self, header: str, address: str) -> bool:
        """Whether the token opens the pages; a wrong one costs its address what it costs at the API, and there."""
        secret = read_secret(header)
        if secret is None:
            self._rates.take(f"pages {address}")
            return False
        with self._database.read() as session:
            caller = find_caller(session, secret)
        if caller is None:
            self._rates.take(address, WRONG_TOKEN_COST)
            return False
        self._rates.take(f"pages {address}")
        return caller.may(Role.READER) and caller.project is None


def read_secret(header: str) -> str | None:
    """The token in an Authorization header: of Bearer, or the password of Basic."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return password if colon else None
