"""One document over HTTP: bounded in bytes, in time and in redirects, and asked for again only if it changed.

Called by `constraints`, `yanked` and `past_index`. It never follows a redirect to anything but http and https, never
from https to http, and never gives a name and password to another host than the one they were meant for.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPMessage

SECONDS = 30.0
"""The time limit of one wait, and of the whole document in one try."""

NOT_MODIFIED = 304
TEMPORARY = frozenset({429, 500, 502, 503, 504})


class DownloadError(Exception):
    """A document could not be had; the message says why, without the URL.

    Attributes:
        code: the server's answer, or 0 where there was none.
    """

    def __init__(self, told: str, code: int = 0) -> None:
        super().__init__(told)
        self.code = code


@dataclass(frozen=True)
class Document:
    """What a server answered.

    Attributes:
        body: its bytes; empty if it has not changed.
        etag: the server's word for this state of it, or "".
        kind: its content type, or "".
        url: where it was after redirects.
        changed: False for the answer 304.
    """

    body: bytes
    etag: str
    kind: str
    url: str
    changed: bool = True


def fetch(url: str, *, most: int, etag: str = "", accept: str = "*/*", seconds: float = SECONDS) -> Document:
    """A document of at most `most` bytes.

    Raises:
        DownloadError: it could not be had, is longer, or is elsewhere than on http(s).
    """
    request = _request(url, {"Accept": accept, **({"If-None-Match": etag} if etag else {})})
    document = _tried(request, most, seconds, last=False) or _tried(request, most, seconds, last=True)
    if document is None:
        raise AssertionError("the last try gives a document or raises")
    return document


def _request(url: str, headers: Mapping[str, str]) -> urllib.request.Request:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise DownloadError("only http and https URLs with a host can be fetched")
    secret, at, _ = parts.netloc.rpartition("@")
    bare = urlunsplit((*parts[:1], parts.netloc.rpartition("@")[2], *parts[2:4], ""))
    # The scheme was checked above, and redirects are below.
    request = urllib.request.Request(bare, headers=dict(headers))  # noqa: S310 - see the line before
    if at:
        word = base64.b64encode(unquote(secret).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {word}")
    return request


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in {"http", "https"} or (req.type == "https" and scheme == "http"):
            raise DownloadError(f"the server sends it on to {scheme}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    # Not `build_opener`: that one also opens files, data and FTP.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(),
    ):
        opener.add_handler(handler)
    return opener


def _tried(request: urllib.request.Request, most: int, seconds: float, *, last: bool) -> Document | None:
    """The document, or None if it is worth another try."""
    try:
        return _once(request, most, seconds)
    except urllib.error.HTTPError as answer:
        with answer:
            if answer.code == NOT_MODIFIED and request.has_header("If-none-match"):
                return Document(b"", "", "", request.full_url, changed=False)
            if last or answer.code not in TEMPORARY:
                raise DownloadError(
                    f"the server answered {answer.code} {answer.reason}", answer.code
                ) from None
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        if last or isinstance(wrong, ValueError):
            raise DownloadError(_reason(wrong)) from wrong
    return None


def _once(request: urllib.request.Request, most: int, seconds: float) -> Document:
    end = time.monotonic() + seconds
    parts: list[bytes] = []
    size = 0
    with _opener().open(request, timeout=seconds) as answer:
        while chunk := answer.read1(1 << 16):
            parts.append(chunk)
            size += len(chunk)
            if size > most:
                raise DownloadError(f"it is longer than {most} bytes")
            if time.monotonic() > end:
                raise DownloadError(f"it took longer than {seconds:g} s")
        headers = answer.headers
        told = headers.get("Content-Length")
        if told and told.isdigit() and int(told) != size:
            raise DownloadError(f"it ended after {size} of {told} bytes")
        return Document(b"".join(parts), headers.get("ETag", ""), headers.get("Content-Type", ""), answer.url)


def _reason(wrong: Exception) -> str:
    reason = getattr(wrong, "reason", wrong)
    return str(reason) or type(wrong).__name__
