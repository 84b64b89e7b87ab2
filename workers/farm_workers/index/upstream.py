"""The upstream index over HTTP: one page, or one file as a stream, each in bounded time.

Called by `page_cache` and `downloads`. It never decides what may be fetched (only addresses that a page of
this upstream named come here) and it never follows more than a few redirects.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

import httpx

from farm_scheduler.errors import FarmError
from farm_scheduler.freshness import allowed_seconds
from farm_workers.index.pages import HTML_TYPE, JSON_TYPE, PLAIN_HTML_TYPE

_LOG = logging.getLogger(__name__)
_ACCEPT = f"{JSON_TYPE}, {HTML_TYPE};q=0.2, {PLAIN_HTML_TYPE};q=0.1"
_PAGE_BYTES = 64 * 1024 * 1024
_QUIET_SECONDS = 10.0


class UpstreamError(FarmError):
    """The upstream did not give what was asked; `status` is what the guest is told (404, 502 or 504)."""

    code: ClassVar[str] = "index-upstream"

    def __init__(self, sentence: str, *, status: int, **data: object) -> None:
        super().__init__(sentence, status=status, **data)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """A page as it came from `index`; `url` is where after redirects, the base of its links.

    `fresh_seconds` is how long the upstream allows to use it without asking.
    """

    index: str
    url: str
    content_type: str
    etag: str | None
    last_modified: str | None
    body: bytes
    fresh_seconds: float = 0.0


class Upstream:
    """One simple index, such as `https://pypi.org/simple`, reached by the system's certificates.

    `seconds` bounds a whole page, a file's answer, and every silence within a file.
    """

    def __init__(self, index_url: str, *, seconds: float) -> None:
        self.root = index_url.rstrip("/")
        self._seconds = seconds
        self._quiet_until = 0.0
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            timeout=httpx.Timeout(seconds),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
            follow_redirects=True,
            max_redirects=4,
            headers={"User-Agent": "wheelfarm-index-proxy"},
        )

    async def aclose(self) -> None:
        """Close every connection to the upstream."""
        await self._client.aclose()

    @property
    def in_trouble(self) -> bool:
        """Whether the upstream failed in the last seconds, so that a stale copy is better than a wait."""
        return time.monotonic() < self._quiet_until

    async def page(self, name: str, *, etag: str | None, last_modified: str | None) -> PageAnswer | None:
        """Fetch the page of a normalised name; None says that the copy with these validators still holds."""
        headers = {"Accept": _ACCEPT}
        if etag:
            headers["If-None-Match"] = etag
        elif last_modified:
            headers["If-Modified-Since"] = last_modified
        return await self.changed(f"{self.root}/{name}/", headers)

    async def changed(self, url: str, headers: dict[str, str]) -> PageAnswer | None:
        """Fetch a small document whole; None says that the copy which `headers` describe still holds."""
        with self._troubles(url):
            async with (
                asyncio.timeout(self._seconds),
                self._client.stream("GET", url, headers=headers) as response,
            ):
                if response.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                _check(response, url)
                return PageAnswer(
                    index=self.root,
                    url=str(response.url),
                    content_type=response.headers.get("content-type", ""),
                    etag=response.headers.get("etag"),
                    last_modified=response.headers.get("last-modified"),
                    fresh_seconds=allowed_seconds(response.headers.get("cache-control")),
                    body=await _whole(response),
                )

    @asynccontextmanager
    async def file(self, url: str) -> AsyncGenerator[httpx.Response]:
        """Open a file as a stream of its bytes (`aiter_raw`); failures while it is read are translated."""
        with self._troubles(url):
            request = self._client.build_request("GET", url, headers={"Accept-Encoding": "identity"})
            async with asyncio.timeout(self._seconds):
                response = await self._client.send(request, stream=True)
            try:
                _check(response, url)
                yield response
            finally:
                await response.aclose()

    @contextmanager
    def _troubles(self, url: str) -> Iterator[None]:
        """Turn what httpx and the clock raise into UpstreamError, and note a failure of the upstream."""
        url = _without_secrets(url)
        try:
            try:
                yield
            except (TimeoutError, httpx.TimeoutException) as error:
                sentence = (
                    f"The package index did not answer in time: {url}; see if it is up, or set another one."
                )
                raise UpstreamError(sentence, status=504, url=url) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                sentence = f"The package index cannot be reached at {url} ({error}); check network and URL."
                raise UpstreamError(sentence, status=502, url=url) from error
        except UpstreamError as error:
            if error.status != httpx.codes.NOT_FOUND:
                self._note(error)
            raise

    def _note(self, error: UpstreamError) -> None:
        """One line in the log per spell of trouble, however many guests run into it."""
        if not self.in_trouble:
            _LOG.warning("%s", error)
        self._quiet_until = time.monotonic() + _QUIET_SECONDS


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _check(response: httpx.Response, url: str) -> None:
    url = _without_secrets(url)
    if response.status_code in {httpx.codes.NOT_FOUND, httpx.codes.GONE}:
        raise UpstreamError(f"The package index has no {url}.", status=404, url=url)
    if response.status_code != httpx.codes.OK:
        sentence = f"The package index answered {response.status_code} for {url}; see what is wrong with it."
        raise UpstreamError(sentence, status=502, url=url)


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _PAGE_BYTES:
            url = _without_secrets(str(response.url))
            raise UpstreamError(
                f"The page at {url} is larger than {_PAGE_BYTES} bytes; it is no page.", status=502
            )
    return bytes(body)
