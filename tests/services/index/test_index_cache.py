"""What the proxy keeps, for how long, and what it does when the upstream or it itself fails."""

import hashlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

PAGE = "/simple/toy/"
JSON = "application/vnd.pypi.simple.v1+json"
MIB = 1024 * 1024


def entries(home: Path, shelf: str) -> list[Path]:
    """The files on a shelf of the cache."""
    return [each for each in (home / "index" / shelf).rglob("*") if each.is_file()]


def wait_until_kept(home: Path, content: bytes) -> None:
    """Wait until a file that was delivered is in the cache: its last byte comes before it is on the disk."""
    digest = hashlib.sha256(content).hexdigest()
    deadline = time.monotonic() + 10
    while not (home / "index" / "files" / digest[:2] / digest).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_eight_clients_one_upstream_request(machine: Any, toy_index: Any, proxy: Any) -> None:
    """Eight clients that want the same file at once cause one request to the upstream, and all get it."""
    name = toy_index.add("big", "1.0", filler=4 * MIB)
    toy_index.pace = 0.005
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: machine.get(f"/files/big/{name}"), range(8)))
    assert {status for status, _, _ in answers} == {200}
    assert {body for _, _, body in answers} == {toy_index.files[f"/packages/{name}"]}
    assert toy_index.seen[f"/packages/{name}"] == 1
    assert toy_index.seen["/simple/big/"] == 1
    assert machine.get(f"/files/big/{name}")[0] == 200
    recorded = [line["from_cache"] for line in proxy.downloads()]
    assert (len(recorded), recorded[0], recorded[-1]) == (9, False, True)


def test_streams_to_the_first_client(machine: Any, toy_index: Any) -> None:
    """The first client gets bytes while the file is still on its way from the upstream."""
    import http.client

    name = toy_index.add("big", "1.0", filler=MIB)
    toy_index.pace = 0.1
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", machine.port, timeout=30)
    connection.request("GET", f"/files/big/{name}")
    response = connection.getresponse()
    response.read(1024)
    first = time.monotonic() - started
    response.read()
    whole = time.monotonic() - started
    connection.close()
    assert first < whole / 2


def test_second_time_nothing_is_fetched(start_proxy: Any, toy_index: Any) -> None:
    """What was seen once is served again without the upstream, also by the next proxy, also when it is down."""
    name = "toy-1.0-py2.py3-none-any.whl"
    with start_proxy() as proxy:
        first = proxy.machine().get(PAGE, Accept=JSON)
        proxy.machine("m-2").get(f"/files/toy/{name}")
    before = toy_index.seen.total()
    toy_index.status = 500
    with start_proxy("--page-seconds", "0") as proxy:
        machine = proxy.machine()
        assert machine.get(PAGE, Accept=JSON) == first
        assert machine.get(f"/files/toy/{name}")[2] == toy_index.files[f"/packages/{name}"]
        assert machine.get("/simple/unseen/")[0] == 502
        toy_index.hang = threading.Event()
        assert machine.get(PAGE, Accept=JSON) == first
    assert toy_index.seen[f"/packages/{name}"] == 1
    assert toy_index.seen.total() - before <= 3


def test_conditional_and_changing_pages(start_proxy: Any, toy_index: Any) -> None:
    """A page that is not fresh is asked for conditionally, and a new file on it is seen."""
    with start_proxy("--page-seconds", "0") as proxy:
        machine = proxy.machine()
        tag = machine.get(PAGE)[1]["etag"]
        assert machine.get(PAGE)[1]["etag"] == tag
        assert toy_index.conditional == 1
        assert machine.get(PAGE, If_None_Match=tag)[0] == 304
        added = toy_index.add("toy", "2.0")
        assert added in machine.get(PAGE)[2].decode()
        assert machine.get(f"/files/toy/{added}")[0] == 200
        del toy_index.links["toy"]
        assert machine.get(PAGE)[0] == 404


def test_wrong_digest_is_never_delivered(machine: Any, toy_index: Any, proxy: Any) -> None:
    """A file without the promised digest is not delivered whole, is not kept, and is reported."""
    name = toy_index.add("toy", "3.0")
    path = f"/packages/{name}"
    toy_index.files[path] = toy_index.files[path][:-1] + b"!"
    said = machine.raw(f"GET /files/toy/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert len(body) == len(toy_index.files[path]) - 1
    assert entries(proxy.home, "files") == []
    assert "sha256" in proxy.log.read_text()


@pytest.mark.parametrize("path", [PAGE, "/files/toy/toy-1.0-py2.py3-none-any.whl"])
def test_hanging_upstream(start_proxy: Any, toy_index: Any, path: str) -> None:
    """An upstream that hangs is answered for with 504 in bounded time and one clear line in the log."""
    toy_index.hang = threading.Event()
    with start_proxy("--upstream-seconds", "1") as proxy:
        machine = proxy.machine()
        started = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: machine.get(path)[0], range(4)))
        assert answers == [504] * 4
        assert time.monotonic() - started < 4
        assert proxy.log.read_text().count("did not answer in time") == 1


def test_hang_within_a_file(start_proxy: Any, toy_index: Any) -> None:
    """A file that stops coming ends the connection in bounded time, and leaves nothing behind."""
    name = toy_index.add("big", "1.0", filler=MIB)
    with start_proxy("--upstream-seconds", "1") as proxy:
        machine = proxy.machine()
        assert machine.get("/simple/big/")[0] == 200
        toy_index.pace = 3.0
        said = machine.raw(f"GET /files/big/{name} HTTP/1.0\r\n\r\n".encode(), timeout=10)
        assert said.endswith(b"\r\n\r\n")
        assert entries(proxy.home, "files") + entries(proxy.home, "drafts") == []


def test_ranges(machine: Any, toy_index: Any) -> None:
    """Ranges are served from the cache and from a file that is on its way, as RFC 9110 says."""
    name = toy_index.add("big", "1.0", filler=MIB)
    whole, path = toy_index.files[f"/packages/{name}"], f"/files/big/{name}"
    cases = {
        "bytes=-100": (206, whole[-100:]),
        "bytes=0-9": (206, whole[:10]),
        f"bytes={len(whole) - 5}-": (206, whole[-5:]),
        f"bytes=10-{len(whole) * 2}": (206, whole[10:]),
        "bytes=0-": (200, whole),
        "bytes=9-1": (200, whole),
        "bytes=0-1,4-5": (200, whole),
        "lines=0-1": (200, whole),
    }
    for wanted, (status, body) in cases.items():
        answer = machine.get(path, Range=wanted)
        assert (wanted, answer[0], answer[2]) == (wanted, status, body)
    for wanted in (f"bytes={len(whole)}-", "bytes=-0"):
        status, headers, _ = machine.get(path, Range=wanted)
        assert (status, headers["content-range"]) == (416, f"bytes */{len(whole)}")
    status, headers, body = machine.get(path, "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(whole)), b"")
    assert machine.get(path, Range="bytes=0-1", If_Range='"other"')[0] == 200
    assert toy_index.seen[f"/packages/{name}"] == 1


def test_metadata_beside_a_wheel(machine: Any, toy_index: Any) -> None:
    """The `.metadata` of a file is served when the page promises it, and only with the promised digest."""
    body = b"Metadata-Version: 2.1\n"
    digest = hashlib.sha256(body).hexdigest()
    name = toy_index.add("meta", "1.0", **{"core-metadata": {"sha256": digest}})
    toy_index.files[f"/packages/{name}.metadata"] = body
    assert f'data-core-metadata="sha256={digest}"' in machine.get("/simple/meta/")[2].decode()
    assert machine.get(f"/files/meta/{name}.metadata")[2] == body
    assert machine.get("/files/toy/toy-1.0-py2.py3-none-any.whl.metadata")[0] == 404


def test_room_is_bounded(start_proxy: Any, toy_index: Any) -> None:
    """The cache stays below its size; the file used longest ago goes first; a larger one is refused."""
    names = [toy_index.add("big", f"{number}.0", filler=MIB) for number in range(4)]
    huge = toy_index.add("big", "9.0", filler=5 * MIB)
    with start_proxy("--cache-bytes", str(3 * MIB + MIB // 2)) as proxy:
        machine = proxy.machine()
        for name in (names[0], names[1], names[2], names[0], names[3]):
            assert machine.get(f"/files/big/{name}")[0] == 200
            wait_until_kept(proxy.home, toy_index.files[f"/packages/{name}"])
        kept = {each.name for each in entries(proxy.home, "files")}
        digests = [hashlib.sha256(toy_index.files[f"/packages/{name}"]).hexdigest() for name in names]
        assert kept == {digests[0], digests[2], digests[3]}
        assert machine.get(f"/files/big/{huge}")[0] == 502
    with start_proxy("--cache-bytes", str(2 * MIB)) as proxy:
        assert sum(each.stat().st_size for each in entries(proxy.home, "files")) <= 2 * MIB


def test_killed_in_the_middle(start_proxy: Any, toy_index: Any) -> None:
    """After kill -9 in the middle of files the next proxy starts with a valid cache and no drafts."""
    name = toy_index.add("big", "1.0", filler=2 * MIB)
    small = "toy-1.0-py2.py3-none-any.whl"
    with start_proxy() as proxy:
        machine = proxy.machine()
        assert machine.get(f"/files/toy/{small}")[0] == 200
        toy_index.pace = 0.2
        reader = threading.Thread(
            target=machine.raw, args=(f"GET /files/big/{name} HTTP/1.0\r\n\r\n".encode(),)
        )
        reader.start()
        time.sleep(1)
        assert len(entries(proxy.home, "drafts")) == 1
        os.kill(proxy.process.pid, signal.SIGKILL)
        proxy.process.wait(10)
        reader.join()
    toy_index.pace = 0.0
    assert proxy.control.exists()
    with start_proxy() as proxy:
        assert entries(proxy.home, "drafts") == []
        machine = proxy.machine()
        assert machine.get(f"/files/toy/{small}")[2] == toy_index.files[f"/packages/{small}"]
        assert machine.get(f"/files/big/{name}")[2] == toy_index.files[f"/packages/{name}"]
        assert toy_index.seen[f"/packages/{small}"] == 1


def test_one_proxy_per_cache(proxy: Any, start_proxy: Any) -> None:
    """A second proxy on the same cache says so and ends with 3, and the first one goes on."""
    with start_proxy() as second:
        assert second.process.wait(10) == 3
    assert "Another index proxy uses" in second.log.read_text()
    assert proxy.machine().get(PAGE)[0] == 200


def test_damaged_page_is_fetched_anew(start_proxy: Any, toy_index: Any) -> None:
    """A page in the cache that is damaged, or came from another index, is not used."""
    with start_proxy() as proxy:
        assert proxy.machine().get(PAGE)[0] == 200
        assert proxy.machine("m-2").get("/simple/dep/")[0] == 200
    page, other = proxy.home / "index/pages/to/toy", proxy.home / "index/pages/de/dep"
    page.write_bytes(page.read_bytes()[:40])
    other.write_bytes(other.read_bytes().replace(toy_index.url.rstrip("/").encode(), b"http://other", 1))
    with start_proxy() as proxy:
        assert proxy.machine().get(PAGE)[0] == 200
        assert proxy.machine("m-2").get("/simple/dep/")[0] == 200
    assert (toy_index.seen["/simple/toy/"], toy_index.seen["/simple/dep/"]) == (2, 2)
