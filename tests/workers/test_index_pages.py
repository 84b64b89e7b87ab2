"""Project pages: what is read from an upstream, and what is written for a guest."""

import json
import re
import time

import pytest

from farm_workers.index.pages import JSON_TYPE, ProjectPage, read_page, write_html, write_json
from farm_workers.index.site import choose_type, find

BASE = "https://index.example/simple/toy/"
DIGEST = "a" * 64
NASTY = "\"><script>alert('x')</script>&amp;"


def read_json(*files: dict[str, object], **more: object) -> ProjectPage:
    """Read a JSON page with these files."""
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "toy", "files": files, **more}).encode()
    return read_page(name="toy", url=BASE, content_type=f"{JSON_TYPE}; charset=utf-8", body=body)


def read_html(text: str) -> ProjectPage:
    """Read an HTML page."""
    return read_page(name="toy", url=BASE, content_type="text/html; charset=UTF-8", body=text.encode())


FULL = {
    "filename": "toy-1.0-py3-none-any.whl",
    "url": "../../packages/toy-1.0-py3-none-any.whl",
    "hashes": {"sha256": DIGEST, "md5": "b" * 32},
    "requires-python": ">=3.8,<4",
    "core-metadata": {"sha256": "c" * 64},
    "yanked": "broken & <bad>",
    "size": 12,
    "upload-time": "2026-10-15T09:50:56.808462Z",
    "provenance": "https://index.example/provenance",
    "gpg-sig": False,
}


def test_json_to_json_keeps_everything() -> None:
    """All of a file's keys are kept, and only its address changes."""
    written = json.loads(write_json(read_json(FULL, versions=["1.0"])))
    assert written["files"] == [FULL | {"url": "/files/toy/toy-1.0-py3-none-any.whl"}]
    assert (written["name"], written["versions"], written["meta"]) == ("toy", ["1.0"], {"api-version": "1.1"})


def test_html_round_trip_keeps_everything() -> None:
    """What HTML can say of a file survives being written and read again."""
    page = read_json(FULL)
    again = read_html(write_html(page).decode()).files[str(FULL["filename"])]
    original = page.files[str(FULL["filename"])]
    assert again == original.model_copy(
        update={
            "url": "https://index.example/files/toy/toy-1.0-py3-none-any.whl",
            "hashes": {"sha256": DIGEST},
        }
    )


def test_old_and_plain_html() -> None:
    """A page with a base, old attribute names, an empty yank and no hash is read, odd links are left out."""
    page = read_html(
        """<base href="/f/"><a href=toy-1.0.tar.gz data-yanked>x</a>
        <a href="toy-2.0.tar.gz#md5=00" data-dist-info-metadata="true" data-requires-python="&gt;=3">y</a>
        <a href="file:///etc/passwd">p</a> <a href="javascript:x">j</a> <a>none</a> <a href="http://[x/a">bad</a>
        <a href="../">up</a> <a href="a%2Fb.whl">slash</a> <a href="toy-2.0.tar.gz">again</a>
        <!-- <a href="toy-3.0.tar.gz"> --> <A HREF='toy-4.0.tar.gz?a=">"#'>four</A>"""
    )
    assert list(page.files) == ["toy-1.0.tar.gz", "toy-2.0.tar.gz", "toy-4.0.tar.gz"]
    first, second, _ = page.files.values()
    assert (first.url, first.yanked, first.sha256) == ("https://index.example/f/toy-1.0.tar.gz", True, None)
    assert (second.core_metadata, second.requires_python, second.hashes) == (True, ">=3", {"md5": "00"})


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://x/toy-1.0.whl"},
        {"filename": "../lock"},
        {"filename": "a/b"},
        {"hashes": 5},
        {"size": -1},
    ],
    ids=repr,
)
def test_file_that_cannot_be_offered(change: dict[str, object]) -> None:
    """A file with an odd address, name or type is left out and the others stay."""
    assert list(read_json(FULL | {"filename": "good-1.whl"}, FULL | change).files) == ["good-1.whl"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"files": 1}', b"\xff\xfe", b'{"files": [1]}'])
def test_no_page(body: bytes) -> None:
    """JSON that is no page raises ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        read_page(name="toy", url=BASE, content_type=JSON_TYPE, body=body)


def test_upstream_text_cannot_become_markup() -> None:
    """Nothing that an upstream writes into a page becomes a tag or a further attribute of ours."""
    page = read_json(
        FULL | {"requires-python": NASTY, "yanked": NASTY, "upload-time": NASTY, "hashes": {"sha256": NASTY}}
    )

    written = write_html(page).decode()
    assert set(re.findall(r"</?(\w+)", written)) == {"html", "head", "meta", "title", "body", "h1", "a", "br"}
    assert len(re.findall(r'data-[a-z-]+="[^"<>]*"', written)) == 7


def test_find_only_what_the_page_names() -> None:
    """A file is found by its name, its metadata only where the page promises it, with the page's digests."""
    page = read_json(FULL, FULL | {"filename": "toy-2.0.tar.gz", "core-metadata": False})
    wheel = find(page, "toy-1.0-py3-none-any.whl")
    metadata = find(page, "toy-1.0-py3-none-any.whl.metadata")
    assert wheel
    assert metadata
    assert (wheel.sha256, wheel.key) == (DIGEST, DIGEST)
    assert (metadata.url, metadata.sha256) == (f"{wheel.url}.metadata", "c" * 64)
    assert find(page, "toy-2.0.tar.gz.metadata") is None
    assert find(page, "toy-3.0.tar.gz") is None


@pytest.mark.parametrize(
    "piece", ["<a ", '<a href="', "<a href='x\"", "<!--", "<a x", '<a "', "<a x =  ", "<base "]
)
def test_garbage_is_read_in_linear_time(piece: str) -> None:
    """Megabytes of unfinished tags are read without any delay."""
    started = time.monotonic()
    assert read_html(piece * 500_000).files == {}
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("text/html", "text/html"),
        (f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", JSON_TYPE),
        (f"{JSON_TYPE};q=0.1, text/html", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON_TYPE),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
        (f"{JSON_TYPE};q=nonsense", "text/html"),
        ("," * 5000, "text/html"),
    ],
)
def test_choice_of_type(accept: str, kind: str) -> None:
    """The Accept header chooses the form as PEP 691 says, plain HTML where nothing fits."""
    assert choose_type(accept) == kind
