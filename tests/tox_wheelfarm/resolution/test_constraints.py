"""Constraints from files, URLs and lines, checked, bounded, kept, and written anew for uv."""

import hashlib
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tox_wheelfarm.constraints import collect, read, sources
from tox_wheelfarm.download import DownloadError, fetch
from tox_wheelfarm.errors import ConstraintsError, OfflineMissError
from tox_wheelfarm.resolution import resolve
from tox_wheelfarm.statements import MOST_BYTES
from tox_wheelfarm.uv import Offline


@pytest.fixture
def gather(tmp_path):
    """`collect` with the folder of the test as root, its cache below."""

    def gathered(*words, offline=Offline.AUTO):
        return collect(words, tmp_path, tmp_path / "cache", offline)

    return gathered


def texts(paths):
    """The constraints of all files, in order."""
    return [line.text for path in paths for line in read(path).lines]


def sha256(body):
    """Hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def refused(gather, *words, **told):
    """What is said of words that are refused."""
    with pytest.raises(ConstraintsError) as raised:
        gather(*words, **told)
    return str(raised.value)


def test_files_lines_and_urls_together(gather, index, constrain, tmp_path):
    """Files relative to the root, `file:` URLs, http URLs and lines bind together, each with its source and hash."""
    index.documents["/upper.txt"] = b"pear===2.0\n"
    constrain("apple==1.0\n")
    other = constrain("fig==3\n", "d e.txt")
    paths = gather("c.txt", f"-c {other.as_uri()}", f"{index.url}/upper.txt", 'plum===1.2;python_version>"2"')
    assert texts(paths) == ["apple==1.0", "fig==3", "pear===2.0", 'plum===1.2; python_version > "2"']
    assert sources(paths)[0] == {"source": "c.txt", "sha256": sha256(b"apple==1.0\n")}
    assert sources(paths)[2] == {"source": f"{index.url}/upper.txt", "sha256": sha256(b"pear===2.0\n")}
    assert [each["source"] for each in sources(paths)][1:] == [
        "d e.txt",
        f"{index.url}/upper.txt",
        "constraints of the environment",
    ]
    assert all(path.parent == tmp_path / "cache" for path in paths)


def test_lines_keep_their_numbers(gather, constrain):
    """What uv gets stands on the lines of the source: comments and continued lines are counted."""
    constrain("# top\n\napple==1.0 \\\n    --hash=sha256:" + "A" * 64 + "  # why\npear==2\n")
    lines = read(gather("c.txt")[0]).lines
    assert [(line.text, line.where) for line in lines] == [
        ("apple==1.0", "c.txt line 3"),
        ("pear==2", "c.txt line 5"),
    ]
    assert lines[0].hashes == (f"sha256:{'a' * 64}",)


def test_a_clash_names_the_source_and_not_our_copy(gather, index, uv, ask):
    """A constraint of a URL that excludes a requirement is named with that URL and its line."""
    index.documents["/upper.txt"] = b"\napple===1.0\n"
    paths = gather(f"{index.url}/upper.txt")
    with pytest.raises(ConstraintsError, match=rf"{index.url}/upper\.txt line 2"):
        resolve(ask("apple>2", constraints=paths), uv)


def test_nested_files_and_urls(gather, index, constrain, tmp_path):
    """`-c` and `-r` in a file are relative to it, in a document to its URL; a ring of them ends."""
    (tmp_path / "deep").mkdir()
    constrain("-c deep/a.txt\napple==1\n")
    constrain("-r ../c.txt\n--constraint=b.txt\npear==1\n", "deep/a.txt")
    constrain(f"-c {index.url}/x/one.txt\nfig==1\n", "deep/b.txt")
    index.documents |= {"/x/one.txt": b"-c two.txt\nplum==1\n", "/x/two.txt": b"-c one.txt\nkiwi==1\n"}
    assert sorted(texts(gather("c.txt"))) == ["apple==1", "fig==1", "kiwi==1", "pear==1", "plum==1"]


def test_a_url_with_a_hash_is_fetched_once(gather, index):
    """With its hash told and the document in the cache nobody is asked, and the hash is checked again."""
    body = b"apple==1\n"
    index.documents["/upper.txt"] = body
    url = f"{index.url}/upper.txt#sha256={sha256(body).upper()}"
    first = gather(url)
    index.asked.clear()
    assert gather(url) == gather(url, offline=Offline.ALWAYS) == first
    assert index.asked == []


def test_a_kept_document_that_was_damaged_is_fetched_again(gather, index, tmp_path):
    """A document of the cache that no longer has its hash is not believed."""
    body = b"apple==1\n"
    index.documents["/upper.txt"] = body
    url = f"{index.url}/upper.txt#sha256={sha256(body)}"
    gather(url)
    (kept,) = (tmp_path / "cache").glob("sha256-*")
    kept.write_text("apple==666\n")
    assert texts(gather(url)) == ["apple==1"]
    assert kept.read_bytes() == body


def test_a_url_without_a_hash_is_fetched_each_time(gather, index):
    """Without a hash the document is asked for each time; with offline = always the last one counts."""
    url = f"{index.url}/upper.txt"
    index.documents["/upper.txt"] = b"apple==1\n"
    gather(url)
    index.documents["/upper.txt"] = b"apple==2\n"
    assert texts(gather(url, offline=Offline.ALWAYS)) == ["apple==1"]
    assert texts(gather(url)) == ["apple==2"]


def test_offline_without_a_copy(gather, index):
    """Offline, a document that was never fetched is an error of its own, and nobody is asked."""
    with pytest.raises(OfflineMissError, match="upper"):
        gather(f"{index.url}/upper.txt#sha256={'0' * 64}", offline=Offline.ALWAYS)
    assert index.asked == []


def test_another_hash_is_refused(gather, index, constrain):
    """A document or a file with another hash than was said is refused, with both hashes."""
    index.documents["/upper.txt"] = b"apple==1\n"
    constrain("apple==1\n")
    for word in (f"{index.url}/upper.txt", "c.txt"):
        said = refused(gather, f"{word}#sha256={'0' * 64}")
        assert sha256(b"apple==1\n") in said
        assert "0" * 64 in said
    assert "must be #sha256=" in refused(gather, "c.txt#md5=00")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("apple=1.0", "cannot be read"),
        ("apple===not.a.version", "Invalid version"),
        ("apple[x]==1.0", "cannot have extras"),
        ("-e git+https://example.org/apple", "cannot be editable"),
        ("--python-options x", "cannot have --python-options"),
        ("./folder", "cannot be read"),
    ],
)
def test_a_bad_line_is_named(gather, constrain, line, said):
    """What is no constraint is refused with its file and line."""
    constrain(f"# top\n{line}\n")
    told = refused(gather, "c.txt")
    assert told.startswith("c.txt line 2: ")
    assert said in told


def test_a_bad_inline_line_is_named(gather):
    """A line of the environment's own is named as such."""
    assert refused(gather, "apple==1", "pear==x y").startswith("constraints of the environment line 2")


def test_options_of_places_do_not_reach_uv(gather, constrain):
    """An index or a folder that somebody's constraints name is not used."""
    constrain("--index-url http://127.0.0.1:9/\n-f ./wheels\n--pre\napple==1\n")
    (path,) = gather("c.txt")
    assert "127.0.0.1" not in path.read_text()
    assert texts([path]) == ["apple==1"]


def test_what_cannot_be_read_is_told(gather, constrain, tmp_path):
    """A file that is not there, is no text or is too long is one sentence that names it and who named it."""
    assert refused(gather, "gone.txt") == "the constraints gone.txt cannot be read: No such file or directory"
    constrain("\n-c gone.txt\n")
    assert "(named by c.txt line 2)" in refused(gather, "c.txt")
    (tmp_path / "b.txt").write_bytes(b"apple==1\n\xff\xfe\n")
    assert refused(gather, "b.txt") == "b.txt, line 2: not UTF-8"
    (tmp_path / "long.txt").write_bytes(b"#" * (MOST_BYTES + 1))
    assert "longer than" in refused(gather, "long.txt")
    constrain("apple==1 \\\n" * 20000)
    assert "statement of more than" in refused(gather, "c.txt")


def test_a_server_that_fails_is_told(gather, index):
    """The answer of the server is told, without the URL's password."""
    assert "404" in refused(gather, f"{index.url}/gone.txt")
    index.broken = True
    with_password = f"{index.url}/gone.txt".replace("//", "//someone:secret@")
    said = refused(gather, with_password)
    assert "503" in said
    assert "secret" not in said
    assert index.asked.count("/gone.txt") == 3, "a temporary failure is tried once more"


def test_a_document_is_bounded(index):
    """A document that is longer than allowed is refused before it is read whole."""
    index.documents["/long"] = b"x" * 1001
    assert len(fetch(f"{index.url}/long", most=1001).body) == 1001
    with pytest.raises(DownloadError, match="longer than 1000 bytes"):
        fetch(f"{index.url}/long", most=1000)


def test_redirects_lead_to_http_only(index, tmp_path):
    """A redirect is followed to http, never to a file or another scheme, and not for ever."""
    (tmp_path / "secret").write_text("secret")
    index.documents["/there"] = b"apple==1\n"
    index.redirects |= {
        "/good": "/there",
        "/file": (tmp_path / "secret").as_uri(),
        "/ftp": "ftp://127.0.0.1/x",
        "/ring": "/ring",
    }
    assert fetch(f"{index.url}/good", most=1000).body == b"apple==1\n"
    for path in ("/file", "/ftp", "/ring"):
        with pytest.raises(DownloadError):
            fetch(index.url + path, most=1000)


def test_a_document_names_no_file_of_this_machine(gather, index, constrain):
    """A document from a server cannot have a file of this machine read."""
    path = constrain("secret\n", "secret.txt")
    for word in (path.as_uri(), str(path)):
        index.documents["/upper.txt"] = f"-c {word}\n".encode()
        said = refused(gather, f"{index.url}/upper.txt")
        assert "is not followed" in said or "404" in said
        assert "'secret'" not in said


def test_a_password_goes_to_its_own_host_only():
    """A name and password in a URL are sent to its host, and not on to where that redirects."""
    seen = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("Authorization"))
            if self.path == "/first":
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{server.server_port}/second")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        fetch(f"http://me:pass@127.0.0.1:{server.server_port}/first", most=10)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert seen == ["Basic bWU6cGFzcw==", None]


def test_a_document_that_drips_ends():
    """A server that sends a byte at a time is left when the time for the whole document is over."""

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):  # who asked is gone
                for _ in range(100):
                    self.wfile.write(b"x")
                    time.sleep(0.05)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with pytest.raises(DownloadError, match=r"it took longer than 0\.3 s"):
            fetch(f"http://127.0.0.1:{server.server_port}/", most=1000, seconds=0.3)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_document_is_not_changed(index):
    """With its ETag told, a document that has not changed is not sent again."""
    index.documents["/page"] = b"x"
    first = fetch(f"{index.url}/page", most=10)
    again = fetch(f"{index.url}/page", most=10, etag=first.etag)
    assert (first.changed, again.changed, again.body) == (True, False, b"")


def test_what_was_written_is_the_same_again(gather, constrain):
    """The same constraints are the same file, by name and bytes, so that an environment can tell a change."""
    path: Path = constrain("apple==1\n")
    first = gather("c.txt")
    assert gather("c.txt") == first
    path.write_text("apple==2\n")
    assert gather("c.txt") != first


def test_uv_reads_what_was_written(gather, constrain, index, uv, ask):
    """`===`, markers and hashes, collected and written anew, bind a resolution."""
    for version in ("1.0", "2.0"):
        index.release("apple", version)
    constrain(f"apple===1.0; python_version >= '3' --hash=sha256:{index.file('apple').sha256}\n")
    (pin,) = resolve(ask("apple", constraints=gather("c.txt")), uv).pins
    assert (pin.version, len(pin.files)) == ("1.0", 1)
