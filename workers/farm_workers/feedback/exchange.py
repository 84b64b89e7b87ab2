"""One request to a forge or a webhook, and its answer: bounded in time and size, at the address that was checked.

Called by sending, checks, comments and redelivery. It follows no redirect, reads no more than it must, and says in one
sentence what went wrong. What it sends and what an answer means is never its business.
"""

import asyncio
import contextlib
import json
import math
import ssl
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx

from farm_scheduler.errors import FeedbackError
from farm_scheduler.git_access import allowed_addresses
from farm_scheduler.settings import Settings
from farm_scheduler.url_parts import read_url

SECONDS = 15.0
"""How long the other side may be silent."""

CONNECT_SECONDS = 5.0
ALL_SECONDS = 30.0
"""How long one exchange may take: the connections that are tried, all that is sent, and all that is read."""

_ENDS: ContextVar[float] = ContextVar("ends", default=math.inf)
"""When the exchanges of this thread have to be over, on the monotonic clock."""

MOST_ADDRESSES = 4
"""Of a name, that are tried one after the other."""

MOST_BYTES = 4 * 1024**2
"""Of an answer that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request that is to be made: `body` as it goes out."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = b""
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the status, the JSON of the body where it was read, and where its next page is said to be."""

    status: int
    document: Any = None
    next_page: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An address, and what has to go along when it stands in a name's place (`pinned`)."""

    url: httpx.URL
    pinned: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, str] = field(default_factory=dict)


def outgoing(
    url: str, headers: Mapping[str, str], document: Mapping[str, Any] | None = None, method: str = "POST"
) -> Outgoing:
    """A request with a document of JSON, less what has no value."""
    if document is None:
        return Outgoing(url=url, headers=headers, method=method)
    kept = {name: value for name, value in document.items() if value is not None and value != ""}
    sent = {"Content-Type": "application/json", **headers}
    return Outgoing(url=url, headers=sent, body=json.dumps(kept).encode(), method=method)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give all exchanges that this thread makes inside so long together; then the other side was too slow."""
    outer = _ENDS.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ENDS.reset(outer)


def send(request: Outgoing, settings: Settings) -> None:
    """Make a request whose answer says nothing but yes or no.

    Raises:
        FeedbackError: it was not taken.
        TargetError: the farm does not ask this address.
        IndexUnavailableError: the host has no address.
    """
    _exchange(request, settings, read=False, fine=())


def ask(request: Outgoing, settings: Settings, fine: Collection[int] = ()) -> Answer:
    """Make a request, and read the JSON that comes back; `fine` are statuses beside 2xx that are no error.

    Raises as `send`.
    """
    return _exchange(request, settings, read=True, fine=fine)


def _exchange(request: Outgoing, settings: Settings, *, read: bool, fine: Collection[int]) -> Answer:
    host = read_url(request.url).netloc
    try:
        answer = asyncio.run(_anywhere(request, _places(request, settings), host, fine if read else None))
    except (httpx.TimeoutException, TimeoutError) as error:
        sentence = f"{host} answers too slowly ({type(error).__name__}); it is tried again"
        raise FeedbackError(sentence, host=host, slow=True) from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        sentence = f"{host} was not told ({type(error).__name__}); it is tried again"
        raise FeedbackError(sentence, host=host) from error
    if not (200 <= answer.status < 300 or answer.status in fine):
        hint = "check the token and its rights" if answer.status in {401, 403, 404} else "it is tried again"
        raise FeedbackError(f"{host} answered {answer.status}; {hint}", host=host, status=answer.status)
    return answer


async def _anywhere(
    request: Outgoing, places: Sequence[_Place], host: str, read: Collection[int] | None
) -> Answer:
    """The answer of the first address that takes a connection. Async for its clock alone: it holds drips as well."""
    context = ssl.create_default_context()
    async with asyncio.timeout(min(ALL_SECONDS, _ENDS.get() - time.monotonic())):
        for place in places[:-1]:
            with contextlib.suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return await _at(place, request, context, host, read)
        return await _at(places[-1], request, context, host, read)


async def _at(
    place: _Place, request: Outgoing, context: ssl.SSLContext, host: str, read: Collection[int] | None
) -> Answer:
    """The answer of one address; `read` are statuses beside 2xx whose body is read, None where none is."""
    direct, patience = not place.pinned, httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
    async with (
        httpx.AsyncClient(
            verify=context, timeout=patience, follow_redirects=False, trust_env=direct
        ) as client,
        client.stream(
            request.method,
            place.url,
            content=request.body or None,
            headers={**place.headers, **request.headers},
            extensions={**place.extensions},
        ) as answer,
    ):
        code = answer.status_code
        wanted = read is not None and (200 <= code < 300 or code in read)
        document = await _document(answer, host) if wanted else None
        return Answer(status=code, document=document, next_page=answer.links.get("next", {}).get("url", ""))


def _places(request: Outgoing, settings: Settings) -> list[_Place]:
    """Where the request really goes: to addresses that were checked, in the name of its host.

    Without any, the name is the business of whom a setting trusts.
    """
    url = httpx.URL(request.url)
    headers, extensions = {"Host": url.netloc.decode("ascii")}, {"sni_hostname": url.host}
    found = [
        _Place(url=url.copy_with(host=address), pinned=True, headers=headers, extensions=extensions)
        for address in allowed_addresses(request.url, settings)[:MOST_ADDRESSES]
    ]
    return found or [_Place(url=url, pinned=False)]


async def _document(answer: httpx.Response, host: str) -> Any:
    """The JSON of a body; None of an empty one.

    Raises:
        FeedbackError: it is too large, or no JSON.
    """
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise FeedbackError(f"{host} answers more than is read", host=host)
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedbackError(
            f"{host} answered no JSON; check the address of the project", host=host
        ) from error
