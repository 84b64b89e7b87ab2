"""Indexes as they were at a moment, for the pip of Python 2.7, which knows no cut-off: served to it on loopback.

Used by `old_resolution` for as long as pip resolves. It serves the pages alone, to whoever knows a secret path, without
the files that came later; a file itself comes from where it is, by its hash. It never shows one whose time is not told.
"""

from __future__ import annotations

import html
import secrets
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from tox_wheelfarm.cutoff import moment, time
from tox_wheelfarm.download import DownloadError, fetch
from tox_wheelfarm.errors import InstallerError
from tox_wheelfarm.index_page import ACCEPT, read_page
from tox_wheelfarm.urls import without_secrets
from tox_wheelfarm.yanked import MOST_BYTES, PYPI

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox_wheelfarm.index_page import IndexFile
    from tox_wheelfarm.pip import Pip

HOST = "127.0.0.1"
WAIT = 60
"""Seconds until a connection that says nothing is given up."""


@dataclass
class PastIndex:
    """Indexes as they were at a moment, and what there was to say of their pages.

    Attributes:
        before: files of this moment and later are not shown.
        indexes: simple indexes (PEP 691), by their paths here.
        timeless: where no upload times are told.
        later: names that the indexes have, with no file from before.
        unreached: pages that could not be had, each with the reason.
    """

    before: datetime
    indexes: dict[str, str]
    timeless: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    unreached: dict[str, str] = field(default_factory=dict)
    _pages: dict[str, str | None] = field(default_factory=dict)
    _one: threading.Lock = field(default_factory=threading.Lock)

    def page(self, path: str) -> str | None:
        """The page of a project at a path here, or None where there is none."""
        # Who asks again because an index is slow waits for the first answer.
        with self._one:
            if path not in self._pages:
                place, _, name = path.strip("/").rpartition("/")
                index = self.indexes.get(place)
                self._pages[path] = self._had(index, canonicalize_name(name)) if index and name else None
            return self._pages[path]

    def said(self) -> str:
        """Why releases were not seen, as sentences; or ""."""
        told = []
        if self.timeless:
            told.append(f"{', '.join(sorted(self.timeless))} tells no upload times, which cutoff needs.")
        if self.later:
            told.append(f"cutoff hides every release of {', '.join(sorted(self.later))}.")
        return " ".join(told)

    def _had(self, index: str, name: str) -> str | None:
        url = f"{index.rstrip('/')}/{quote(name)}/"
        shown = without_secrets(url)
        if not url.startswith(("http://", "https://")):
            self.timeless.add(without_secrets(index))
            return None
        try:
            document = fetch(url, most=MOST_BYTES, accept=ACCEPT)
            files = read_page(document)
            seen = [_link(file, document.url, index) for file in files if self._is_before(file)]
        except (DownloadError, ValueError) as wrong:
            if not (isinstance(wrong, DownloadError) and wrong.code == HTTPStatus.NOT_FOUND):
                self.unreached[shown] = str(wrong)
            return None
        if files and not any(file.uploaded for file in files):
            self.timeless.add(shown)
        elif files and not seen:
            self.later.add(name)
        return "".join(seen)

    def _is_before(self, file: IndexFile) -> bool:
        try:
            uploaded = time(file.uploaded)
        except ValueError:  # a day that is in no calendar tells nothing
            return False
        return uploaded is not None and uploaded < self.before and bool(file.url)


def _link(file: IndexFile, page: str, index: str) -> str:
    parts = urlsplit(urljoin(page, file.url))
    own = urlsplit(index)
    # pip gives the name and password of an index to what is on the same host; here it does not see them.
    host = (
        own.netloc
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc.rpartition("@")[2])
        else parts.netloc
    )
    fragment = f"sha256={file.sha256}" if file.sha256 else ""
    told = {"href": urlunsplit((parts.scheme, host, parts.path, parts.query, fragment))}
    if file.requires:
        told["data-requires-python"] = file.requires
    if file.yanked is not None:
        told["data-yanked"] = file.yanked
    words = "".join(f' {key}="{html.escape(value)}"' for key, value in told.items())
    return f"<a{words}>{html.escape(file.name)}</a><br>\n"


@contextmanager
def served(pip: Pip, cutoff: str) -> Iterator[tuple[Pip, PastIndex]]:
    """The same pip with its indexes as they were; ends with the block.

    Args:
        pip: where its indexes are is asked of its variables.
        cutoff: as in the settings; "" leaves all as it is.

    Raises:
        ResolutionError: the cut-off is no date.
        InstallerError: whatever the block raises, with the indexes named as people know them.
    """
    now = datetime.now(timezone.utc)
    if not cutoff or pip.environment().get("PIP_NO_INDEX"):
        yield pip, PastIndex(now, {})
        return
    told = pip.environment()
    secret = secrets.token_urlsafe(16)
    places = [told.get("PIP_INDEX_URL") or PYPI, *told.get("PIP_EXTRA_INDEX_URL", "").split()]
    past = PastIndex(moment(cutoff, now), {f"{secret}/{number}": url for number, url in enumerate(places)})
    server = ThreadingHTTPServer((HOST, 0), _handler(past))
    urls = {f"http://{HOST}:{server.server_port}/{place}/": url for place, url in past.indexes.items()}
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield replace(pip, variables={**pip.variables, **_variables(list(urls), told)}), past
    except InstallerError as wrong:
        raise type(wrong)(_told(str(wrong), urls)) from None
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _told(text: str, urls: dict[str, str]) -> str:
    for here, url in urls.items():
        text = text.replace(here, f"{without_secrets(url).rstrip('/')}/")
    return text


def _variables(urls: list[str], told: dict[str, str]) -> dict[str, str]:
    proxy = told.get("PIP_PROXY", "")
    # That option of pip has no exceptions; these variables say the same, and have some.
    proxied = {"PIP_PROXY": "", "http_proxy": proxy, "https_proxy": proxy} if proxy else {}
    direct = ",".join(filter(None, [told.get("no_proxy") or told.get("NO_PROXY", ""), HOST]))
    return {
        "UV_DEFAULT_INDEX": urls[0],
        "UV_INDEX_URL": "",
        "UV_INDEX": " ".join(urls[1:]),
        "UV_EXTRA_INDEX_URL": "",
        **proxied,
        "no_proxy": direct,
        "NO_PROXY": direct,
    }


def _handler(past: PastIndex) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = WAIT

        def do_GET(self) -> None:
            page = past.page(self.path)
            body = f"<!DOCTYPE html><html><body>\n{page or ''}</body></html>".encode()
            self.send_response(HTTPStatus.NOT_FOUND if page is None else HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # who asked may have been stopped
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the terminal."""

    return Handler
