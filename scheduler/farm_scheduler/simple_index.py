"""A reader of the simple repository API: the sdists of a project, and the bytes of one of them.

Called by sources. JSON where the index offers it (PEP 691), HTML where not (PEP 503). Every wait and every
size has a bound; nothing that an index says is trusted further than a checksum.
"""

import asyncio
import hashlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from html.parser import HTMLParser
from typing import Any, BinaryIO
from urllib.parse import unquote, urljoin, urlsplit

import httpx
from packaging.utils import InvalidSdistFilename, parse_sdist_filename
from packaging.version import Version

from farm_scheduler.errors import IndexUnavailableError, SourceError, TargetError
from farm_scheduler.freshness import allowed_seconds

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE = 64 << 20
"""Bytes of a project's page."""

LONGEST_ETAG = 1000
"""Characters of a validator that is sent back; one that is longer, or no ASCII, is not used."""

PATIENCE = 3
"""A whole answer may take this many times the silence that is allowed; an index that drips bytes is no use."""

PACE = 100_000
"""Each so many bytes that came allow a second more."""

LONGEST = 10
"""The end of patience with an answer at whatever pace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """An sdist that an index offers.

    Attributes:
        url: absolute, without fragment.
        sha256: None when the index does not say.
        requires_python: as the index says it.
        yanked: None, or the reason ("" when none is given).
        uploaded: None when the index does not say (PEP 700).
    """

    name: str
    version: Version
    url: str
    sha256: str | None
    requires_python: str | None
    yanked: str | None
    uploaded: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The sdists of a project, in the order of the index.

    Attributes:
        etag: the validator of the page, or None.
        fresh_seconds: how long the index allows to use it without asking.
        serial: the index's count of changes when it wrote the page, where it says so.
    """

    files: tuple[SourceFile, ...]
    etag: str | None
    fresh_seconds: float
    serial: int | None = None


class SimpleIndex:
    """One package index.

    Args:
        url: the root of the simple API, `https://pypi.org/simple/`.
        seconds: how long the index may stay silent. A whole answer may take `PATIENCE` times that, and longer only
            while it comes at a fair pace.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url.rstrip("/") + "/"
        self._seconds = seconds
        # The system's store, not certifi's: a company's or a mirror's own authority is known there.
        self._context = ssl.create_default_context()

    def sdists(self, name: str, etag: str | None = None) -> Listing | None:
        """Every sdist of a project; None when its page is still the one with this `etag`.

        Raises:
            TargetError: the index has no such project.
            IndexUnavailableError: it did not answer, or not with a simple page.
        """
        url = urljoin(self._url, f"{name}/")
        body, head = self._page(url, name, etag)
        if head.status_code == httpx.codes.NOT_MODIFIED:
            return None
        try:
            json_form = "json" in head.headers.get("content-type", "")
            files = _json_files(body) if json_form else _html_files(body)
            return Listing(
                files=tuple(_sdists(files, name, str(head.url))),
                etag=head.headers.get("etag"),
                fresh_seconds=allowed_seconds(head.headers.get("cache-control")),
                serial=_serial(head.headers.get("x-pypi-last-serial", "")),
            )
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            sentence = f"{url} is no page of a package index ({why}); check WHEELFARM_INDEX_URL"
            raise IndexUnavailableError(sentence, url=url) from error

    def fetch(self, file: SourceFile, into: BinaryIO, limit: int) -> str:
        """Write the bytes of a file; return their sha256.

        Raises:
            SourceError: larger than `limit` bytes, or not what the index's checksum says.
            IndexUnavailableError: the download failed.
        """
        digest = hashlib.sha256()
        size = 0

        def take(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            if size > limit:
                sentence = (
                    f"{file.name} is larger than {limit} bytes; raise WHEELFARM_SOURCE_BYTES to allow it"
                )
                raise SourceError(sentence, file=file.name, limit=limit)
            digest.update(chunk)
            into.write(chunk)

        self._ask(file.url, {}, take)
        if file.sha256 is not None and digest.hexdigest() != file.sha256:
            sentence = (
                f"{file.name} is not the file that the index announces (sha256 differs); try again later"
            )
            raise SourceError(sentence, file=file.name, expected=file.sha256, got=digest.hexdigest())
        return digest.hexdigest()

    def _page(self, url: str, name: str, etag: str | None) -> tuple[bytes, httpx.Response]:
        body = bytearray()

        def take(chunk: bytes) -> None:
            body.extend(chunk)
            if len(body) > MAX_PAGE:
                raise IndexUnavailableError(f"the page {url} does not end; check the index", url=url)

        headers = {"Accept": ACCEPT}
        if etag and etag.isascii() and len(etag) <= LONGEST_ETAG:
            headers["If-None-Match"] = etag
        head = self._ask(url, headers, take, name)
        return bytes(body), head

    def _ask(
        self, url: str, headers: dict[str, str], take: Callable[[bytes], None], name: str = ""
    ) -> httpx.Response:
        """Give `take` the body of an answer, chunk by chunk; the head of it. With `name`, 404 is no such project."""
        host = urlsplit(url).netloc
        try:
            return asyncio.run(self._stream(url, headers, take, name))
        except httpx.TimeoutException as error:
            sentence = f"the package index {host} did not answer within {self._seconds:g} s; try again later"
            raise IndexUnavailableError(sentence, url=url) from error
        except TimeoutError as error:
            raise IndexUnavailableError(
                f"the package index {host} is too slow; try again later", url=url
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            sentence = f"the package index {host} cannot be reached ({error}); check WHEELFARM_INDEX_URL"
            raise IndexUnavailableError(sentence, url=url) from error

    async def _stream(
        self, url: str, headers: dict[str, str], take: Callable[[bytes], None], name: str
    ) -> httpx.Response:
        """Async for its clock alone: it holds whatever comes byte by byte, the head of the answer too."""
        clock = asyncio.get_running_loop()
        start, received = clock.time(), 0
        async with (
            asyncio.timeout(PATIENCE * self._seconds) as limit,
            httpx.AsyncClient(verify=self._context, timeout=self._seconds, follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            self._check(response, url, headers, name)
            async for chunk in response.aiter_bytes():
                take(chunk)
                received += len(chunk)
                allowed = min(PATIENCE * self._seconds + received / PACE, LONGEST * self._seconds)
                limit.reschedule(start + allowed)
        return response

    def _check(self, response: httpx.Response, url: str, headers: dict[str, str], name: str) -> None:
        if response.status_code == httpx.codes.NOT_FOUND and name:
            sentence = f"the index {self._url} has no project {name}; check the spelling"
            raise TargetError(sentence, project=name, index=self._url)
        unchanged = response.status_code == httpx.codes.NOT_MODIFIED and "If-None-Match" in headers
        if response.status_code != httpx.codes.OK and not unchanged:
            host = urlsplit(url).netloc
            sentence = f"the package index {host} answered {response.status_code}; try again later"
            raise IndexUnavailableError(sentence, url=url, status=response.status_code)


def _serial(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _sdists(files: Iterator[Mapping[str, Any]], name: str, page: str) -> Iterator[SourceFile]:
    for file in files:
        filename = str(file["filename"])
        try:
            project, version = parse_sdist_filename(filename)
        except InvalidSdistFilename:
            continue
        if project != name:
            continue
        sha256 = file.get("sha256")
        yield SourceFile(
            name=filename,
            version=version,
            url=urljoin(page, str(file["url"])).partition("#")[0],
            sha256=str(sha256).lower() if sha256 else None,
            requires_python=file.get("requires_python"),
            yanked=file.get("yanked"),
            uploaded=_moment(file.get("uploaded")),
        )


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _json_files(body: bytes) -> Iterator[Mapping[str, Any]]:
    page = json.loads(body)
    _check_version(page.get("meta", {}).get("api-version"))
    for file in page["files"]:
        yanked = file.get("yanked", False)
        yield {
            "filename": file["filename"],
            "url": file["url"],
            "sha256": file.get("hashes", {}).get("sha256"),
            "requires_python": file.get("requires-python"),
            "yanked": (yanked if isinstance(yanked, str) else "") if yanked else None,
            "uploaded": file.get("upload-time"),
        }


def _html_files(body: bytes) -> Iterator[Mapping[str, Any]]:
    parser = _Anchors()
    parser.feed(body.decode("utf-8", "replace"))
    parser.close()
    if not parser.page:
        raise ValueError("no HTML")
    _check_version(parser.version)
    for attributes in parser.anchors:
        href = attributes.get("href")
        if not href:
            continue
        path, _, fragment = href.partition("#")
        yield {
            "filename": unquote(urlsplit(path).path.rpartition("/")[2]),
            "url": path,
            "sha256": fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None,
            "requires_python": attributes.get("data-requires-python"),
            "yanked": (attributes["data-yanked"] or "") if "data-yanked" in attributes else None,
        }


def _check_version(version: Any) -> None:
    """Refuse a page of a later major version, whose meaning nobody knows yet (PEP 629)."""
    if version is not None and not str(version).startswith("1."):
        raise ValueError(f"it says version {str(version)[:20]!r} of the simple API, and the farm knows 1")


class _Anchors(HTMLParser):
    """Collects the anchors of a page, and the version that it says."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: list[dict[str, str | None]] = []
        self.version: str | None = None
        self.page = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page = True
        if tag == "a":
            self.anchors.append(dict(attrs))
        elif tag == "meta" and dict(attrs).get("name") == "pypi:repository-version":
            self.version = dict(attrs).get("content")
