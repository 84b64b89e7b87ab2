"""The counting index before a real one: pages and files go through it, and each is counted once."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from benchmarks.counting_index import Count, counting_index
from benchmarks.second_run import table

FILE = b"the file"
JSON = "application/vnd.pypi.simple.v1+json"


class _Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = f"http://localhost:{self.server.server_address[1]}"
        as_json = "json" in self.headers.get("Accept", "")
        page = (
            json.dumps({"name": "demo", "files": [{"filename": "demo.whl", "url": f"{host}/f/demo.whl"}]})
            if as_json
            else '<a class="x" href="../../f/demo.whl#sha256=0">demo.whl</a>'
        ).encode()
        body = {"/simple/demo/": page, "/f/demo.whl": FILE, "/f/demo.whl.metadata": b"Name: demo"}.get(
            self.path
        )
        tag = hashlib.sha256(body or b"").hexdigest()
        known = self.headers.get("If-None-Match") == tag
        self.send_response(404 if body is None else 304 if known else 200)
        self.send_header("ETag", tag)
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Content-Type", JSON if as_json else "text/html")
        self.end_headers()
        if not known:
            self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[str]:
    """An index with one file."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_everything_goes_through_and_is_counted(upstream: str) -> None:
    """A page in either form leads to its file through the counting index, with its validators and its freshness."""
    with counting_index(upstream) as index, httpx.Client(timeout=20) as client:
        html = client.get(f"{index.url}demo/")
        assert 'href="/far/http/127.0.0.1:' in html.text
        assert html.text.endswith('/f/demo.whl#sha256=0">demo.whl</a>')
        assert html.headers["cache-control"] == "max-age=600"
        page = client.get(f"{index.url}demo/", headers={"Accept": JSON})
        (file,) = page.json()["files"]
        assert file["url"].startswith("/far/http/localhost:")
        assert client.get(page.url.join(file["url"])).content == FILE
        assert client.get(str(page.url.join(file["url"])) + ".metadata").content == b"Name: demo"
        same = client.get(
            f"{index.url}demo/", headers={"Accept": JSON, "If-None-Match": page.headers["etag"]}
        )
        assert same.status_code == 304
        assert client.get(f"{index.url}other/").status_code == 404
        count = index.taken()
        assert (count.pages, count.unchanged, count.files, count.requests) == (4, 1, 2, 6)
        assert count.bytes > len(FILE)
        assert index.taken() == Count()


def test_the_table_tells_what_was_asked_again() -> None:
    """Both runs stand side by side, and what the second one asked for is named."""
    lines = table(Count(pages=3, files=2, bytes=12345), Count(pages=1, unchanged=1, paths=["/simple/six/"]))
    assert lines[1].split() == ["requests", "for", "pages", "3", "1"]
    assert lines[4].split() == ["bytes", "12,345", "0"]
    assert lines[-1] == "  the second run asked for /simple/six/"
