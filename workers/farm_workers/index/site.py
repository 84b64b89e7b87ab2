"""The addresses that a guest may ask, read only: `/simple/NAME/`, `/files/NAME/FILENAME`, and Debian's archive.

Called by `connection`. A file's address names the project's page, and the page names where the file really
is: no table of links is needed, and nothing that no page of the upstream names can be fetched.
"""

import hashlib
import logging
import re
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import unquote

from packaging.utils import InvalidName, canonicalize_name

from farm_workers.index.answers import Answer, FilePart, Headers, Request, plain
from farm_workers.index.archive import Archive, is_release
from farm_workers.index.downloads import Download, Downloads, FileAddress
from farm_workers.index.guests import Delivery, Guest
from farm_workers.index.page_cache import PageCache
from farm_workers.index.pages import HTML_TYPE, JSON_TYPE, PLAIN_HTML_TYPE, ProjectPage
from farm_workers.index.store import Store
from farm_workers.index.upstream import UpstreamError

_LOG = logging.getLogger(__name__)
_NAME_LENGTH = 128
HIDDEN = "No file of {} is known to have been on the index by {}, the cut-off of this job."
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_LATEST = {
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    "application/vnd.pypi.simple.latest+html": HTML_TYPE,
}


class Site:
    """Answers requests from the caches; every failure becomes a status, none an exception."""

    def __init__(self, store: Store, pages: PageCache, downloads: Downloads, archive: Archive) -> None:
        self._archive = archive
        self._store = store
        self._pages = pages
        self._downloads = downloads

    async def answer(self, request: Request, guest: Guest) -> Answer:
        """Give the answer for one request of a guest; the receiver closes the file of a FilePart."""
        if request.method not in {"GET", "HEAD"}:
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),))
        try:
            return await self._route(request, guest)
        except UpstreamError as error:
            return plain(HTTPStatus(error.status), "The package index behind this proxy did not give it.")
        except OSError as error:
            _LOG.error("The index proxy cannot use its cache (%s); see to its folder and disk.", error)
            return plain(HTTPStatus.INSUFFICIENT_STORAGE)

    async def _route(self, request: Request, guest: Guest) -> Answer:
        match request.path.split("/"):
            case ["", "simple", written, *rest] if rest in ([], [""]):
                name = _normalised(written)
                if name and written == name and rest:
                    return await self._page(request, guest, name)
                if name:
                    return plain(HTTPStatus.MOVED_PERMANENTLY, headers=(("Location", f"/simple/{name}/"),))
            case ["", "files", name, filename] if _normalised(name) == name:
                return await self._file(request, guest, name, unquote(filename))
            case ["", "debian" | "debian-security" as archive, *segments]:
                return await self._from_archive(request, guest, "/".join([archive, *map(unquote, segments)]))
        return plain(HTTPStatus.NOT_FOUND)

    async def _from_archive(self, request: Request, guest: Guest, path: str) -> Answer:
        """A file of Debian's archive (`archive` says which there are)."""
        address = self._archive.address(path)
        if address is not None:
            name = path.rpartition("/")[2]
            return await self._deliver(request, guest, name, address, self._archive.downloads)
        if not is_release(path):
            return plain(HTTPStatus.NOT_FOUND)
        release = await self._archive.release(path, guest.fetches)
        headers: Headers = (("Last-Modified", release.last_modified),) if release.last_modified else ()
        if headers and request.headers.get("if-modified-since") == release.last_modified:
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Answer(status=HTTPStatus.OK, headers=headers, body=release.body)

    async def _page(self, request: Request, guest: Guest, name: str) -> Answer:
        held = await self._pages.get(name, guest.fetches)
        kind = choose_type(request.headers.get("accept", ""))
        if guest.cutoff and not any(file.came_by(guest.cutoff) for file in held.page.files.values()):
            return plain(HTTPStatus.NOT_FOUND, HIDDEN.format(name, guest.cutoff))
        body = await held.form(JSON_TYPE if kind == JSON_TYPE else PLAIN_HTML_TYPE, guest.cutoff)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = (("ETag", tag), ("Vary", "Accept"), ("Cache-Control", "max-age=0, must-revalidate"))
        if request.headers.get("if-none-match") == tag:
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Answer(status=HTTPStatus.OK, headers=(("Content-Type", kind), *headers), body=body)

    async def _file(self, request: Request, guest: Guest, name: str, filename: str) -> Answer:
        held = await self._pages.get(name, guest.fetches, any_age=True)
        address = find(held.page, filename, guest.cutoff)
        if address is None:  # a newer page may name it
            held = await self._pages.get(name, guest.fetches)
            address = find(held.page, filename, guest.cutoff)
        if address is None:
            return plain(HTTPStatus.NOT_FOUND)
        return await self._deliver(request, guest, filename, address, self._downloads)

    async def _deliver(
        self, request: Request, guest: Guest, filename: str, address: FileAddress, downloads: Downloads
    ) -> Answer:
        """Give a file that never changes, from the store or while `downloads` brings it. Raises UpstreamError."""
        tag = f'"{address.key}"'
        headers: Headers = (
            ("ETag", tag),
            ("Accept-Ranges", "bytes"),
            ("Cache-Control", "max-age=31536000, immutable"),
        )
        if request.headers.get("if-none-match") == tag:
            return Answer(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        file, download = await self._open(address, guest, downloads)
        from_cache = download is None or download.complete
        try:
            size = await download.opened() if download else file.seek(0, 2)
            wanted = request.headers.get("range") if request.headers.get("if-range", tag) == tag else None
            part = _part(wanted, size)
        except BaseException:
            file.close()
            raise
        if part is None:
            file.close()
            unsatisfied = (("Content-Range", f"bytes */{size}"),)
            return plain(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=unsatisfied)
        start, stop = part
        status = HTTPStatus.PARTIAL_CONTENT if (start, stop) != (0, size) else HTTPStatus.OK
        if status == HTTPStatus.PARTIAL_CONTENT:
            headers = (*headers, ("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
        sent = partial(_record, guest, filename, address, download, from_cache)
        body = FilePart(file=file, start=start, stop=stop, download=download, sent=sent)
        return Answer(
            status=status, headers=(("Content-Type", "application/octet-stream"), *headers), body=body
        )

    async def _open(
        self, address: FileAddress, guest: Guest, downloads: Downloads
    ) -> tuple[BinaryIO, Download | None]:
        while True:
            entry = self._store.open("files", address.key)
            if entry:
                return entry, None
            download = await downloads.start(address, guest.fetches)
            if download:
                return download.reader(), download


def find(page: ProjectPage, filename: str, cutoff: datetime | None = None) -> FileAddress | None:
    """Find a file of the page, or the `.metadata` beside one for which the page offers it (PEP 658)."""
    file = page.files.get(filename) or page.files.get(filename.removesuffix(".metadata"))
    if file is None or (cutoff is not None and not file.came_by(cutoff)):
        return None
    if file.filename == filename:
        return FileAddress(url=file.url, sha256=file.sha256)
    if file.core_metadata:
        return FileAddress(url=f"{file.url}.metadata", sha256=file.metadata_sha256)
    return None


def choose_type(accept: str) -> str:
    """Choose the content type for an Accept header as PEP 691 says; plain HTML where nothing fits."""
    weights: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        quality = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        weights[_LATEST.get(name, name)] = (
            float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality) else 0.0
        )
    offers = {kind: weights.get(kind, 0.0) for kind in (PLAIN_HTML_TYPE, JSON_TYPE, HTML_TYPE)}
    best = max(offers, key=lambda kind: offers[kind])
    return best if offers[best] else PLAIN_HTML_TYPE


def _normalised(name: str) -> str | None:
    if len(name) > _NAME_LENGTH:
        return None
    try:
        return canonicalize_name(name, validate=True)
    except InvalidName:
        return None


def _part(wanted: str | None, size: int) -> tuple[int, int] | None:
    """Give start and stop of a Range header (RFC 9110); all for none or an odd one, None for one beyond."""
    match = _RANGE.fullmatch(wanted or "")
    if not match or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return (max(size - int(last), 0), size) if int(last) and size else None
    start, stop = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return 0, size
    return (start, stop) if start < size else None


def _record(
    guest: Guest, filename: str, address: FileAddress, download: Download | None, from_cache: bool, sent: int
) -> None:
    digest = address.sha256
    if download and download.complete:
        digest = download.sha256.hexdigest()
    guest.record(Delivery(file=filename, sha256=digest, bytes=sent, from_cache=from_cache))
