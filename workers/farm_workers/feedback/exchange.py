"""One request to a forge or a webhook, and its answer: bounded in time and size, at the address that was checked.

Called by sending, checks, comments and redelivery. It follows no redirect, reads no more than it must, and says in one
sentence what went wrong. What it sends and what an answer means is never its business.
"""

import json
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from farm_scheduler.errors import FeedbackError
from farm_scheduler.git_access import allowed_addresses
from farm_scheduler.settings import Settings

SECONDS = 15.0
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


def outgoing(
    url: str, headers: Mapping[str, str], document: Mapping[str, Any] | None = None, method: str = "POST"
) -> Outgoing:
    """A request with a document of JSON, less what has no value."""
    if document is None:
        return Outgoing(url=url, headers=headers, method=method)
    kept = {name: value for name, value in document.items() if value is not None and value != ""}
    sent = {"Content-Type": "application/json", **headers}
    return Outgoing(url=url, headers=sent, body=json.dumps(kept).encode(), method=method)


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
    host = urlsplit(request.url).netloc
    url, headers, extensions, direct = _placed(request, settings)
    context = ssl.create_default_context()
    try:
        with (
            httpx.Client(
                verify=context, timeout=SECONDS, follow_redirects=False, trust_env=not direct
            ) as client,
            client.stream(
                request.method, url, content=request.body or None, headers=headers, extensions=extensions
            ) as answer,
        ):
            code = answer.status_code
            good = 200 <= code < 300
            document = _document(answer, host) if read and (good or code in fine) else None
            next_page = answer.links.get("next", {}).get("url", "")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sentence = f"{host} was not told ({type(error).__name__}); it is tried again"
        raise FeedbackError(sentence, host=host) from error
    if not good and code not in fine:
        hint = "check the token and its rights" if code in {401, 403, 404} else "it is tried again"
        raise FeedbackError(f"{host} answered {code}; {hint}", host=host, status=code)
    return Answer(status=code, document=document, next_page=next_page)


def _placed(request: Outgoing, settings: Settings) -> tuple[httpx.URL, dict[str, str], dict[str, str], bool]:
    """Where the request really goes: to an address that was checked, in the name of its host."""
    addresses = allowed_addresses(request.url, settings)
    url = httpx.URL(request.url)
    if not addresses:
        return url, dict(request.headers), {}, False
    headers = {"Host": url.netloc.decode("ascii"), **request.headers}
    return url.copy_with(host=addresses[0]), headers, {"sni_hostname": url.host}, True


def _document(answer: httpx.Response, host: str) -> Any:
    """The JSON of a body; None of an empty one.

    Raises:
        FeedbackError: it is too large, too slow, or no JSON.
    """
    body, deadline = bytearray(), time.monotonic() + SECONDS
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > MOST_BYTES or time.monotonic() > deadline:
            raise FeedbackError(f"{host} answers more than is read, or too slowly", host=host)
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedbackError(
            f"{host} answered no JSON; check the address of the project", host=host
        ) from error
