"""A package index that passes every request on to another one, and counts it: files too, whatever host they are on.

Called by `second_run`, which points a farm at it. It keeps nothing: whoever asks twice is counted twice. The links of
a page are led through here, as `/far/SCHEME/HOST/PATH`.
"""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape, unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin, urlsplit

import httpx

SECONDS = 60.0
PASSED_ON = ("Accept", "If-None-Match", "If-Modified-Since")
PASSED_BACK = ("content-type", "etag", "last-modified", "cache-control")
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^"#]*)', re.IGNORECASE)


@dataclass(slots=True)
class Count:
    """What was asked for since the last time: requests by kind, and the bytes of their answers."""

    pages: int = 0
    unchanged: int = 0
    files: int = 0
    bytes: int = 0
    paths: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """All of them."""
        return self.pages + self.files


class CountingIndex:
    """The index in front of `upstream`; `url` is its own."""

    def __init__(self, upstream: str, url: str) -> None:
        self.url = url
        self._upstream = upstream.rstrip("/") + "/"
        self._lock = threading.Lock()
        self._count = Count()
        self._client = httpx.Client(
            verify=ssl.create_default_context(), timeout=SECONDS, follow_redirects=True
        )

    def taken(self) -> Count:
        """The count so far; the next one begins."""
        with self._lock:
            count, self._count = self._count, Count()
        return count

    def get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        """What the upstream answers for a path of ours; raises httpx.HTTPError."""
        page = path.startswith("/simple/")
        answer = self._client.get(self._far(path), headers=headers)
        with self._lock:
            self._count.paths.append(path)
            self._count.bytes += len(answer.content)
            self._count.pages += page
            self._count.files += not page
            self._count.unchanged += answer.status_code == httpx.codes.NOT_MODIFIED
        return answer

    def close(self) -> None:
        """Close the connections to the upstream."""
        self._client.close()

    def _far(self, path: str) -> str:
        if path.startswith("/far/"):
            scheme, _, rest = path.removeprefix("/far/").partition("/")
            return f"{scheme}://{rest}"
        return urljoin(self._upstream, path.removeprefix("/simple/"))


def through_here(answer: httpx.Response) -> bytes:
    """The body of a page, its links led through the counting index; any other body as it is."""
    kind = answer.headers.get("content-type", "")
    base = str(answer.url)
    if "json" in kind:
        page = json.loads(answer.content)
        for file in page["files"]:
            file["url"] = _near(urljoin(base, file["url"]))
        return json.dumps(page).encode()
    if "html" in kind:
        return _LINK.sub(
            lambda found: found[1] + escape(_near(urljoin(base, unescape(found[2])))), answer.text
        ).encode()
    return answer.content


def _near(url: str) -> str:
    parts = urlsplit(url)
    return f"/far/{parts.scheme}/{parts.netloc}{parts.path}"


@contextmanager
def counting_index(upstream: str) -> Iterator[CountingIndex]:
    """A counting index that serves on loopback for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name: value for name in PASSED_ON if (value := self.headers.get(name))}
            try:
                answer = index.get(self.path, headers)
                page = self.path.startswith("/simple/") and answer.status_code == httpx.codes.OK
                body = through_here(answer) if page else answer.content
            except (httpx.HTTPError, ValueError, KeyError):
                self.send_error(502)
                return
            self.send_response(answer.status_code)
            for name in PASSED_BACK:
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if answer.status_code != httpx.codes.NOT_MODIFIED:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing: requests are counted instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    index = CountingIndex(upstream, f"http://127.0.0.1:{server.server_port}/simple/")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        index.close()
