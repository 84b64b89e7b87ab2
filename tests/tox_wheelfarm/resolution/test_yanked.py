"""Withdrawn releases by an index's page, JSON or HTML, and by the last data where the index is not asked."""

import pytest

from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.yanked import asked, indexes, kept, told


@pytest.fixture
def mark(index, tmp_path):
    """`asked` at the toy index, or `kept`."""

    def marked(*pins, ask=True):
        where = ([index.simple], tmp_path / "cache")
        found = asked(pins, *where) if ask else kept(pins, *where, {"UV_CACHE_DIR": str(tmp_path / "uv")})
        return [pin.yanked for pin in found]

    return marked


def pin(index, name, *numbers):
    """A pin with so many files of a project of the index."""
    files = [index.file(name, number) for number in numbers or range(len(index.files[name]))]
    return Pin(name, "1.0", tuple(PinnedFile(file.name, (f"sha256:{file.sha256}",)) for file in files))


@pytest.mark.parametrize("html", [False, True])
def test_a_withdrawn_release_is_marked(index, mark, html):
    """A release is withdrawn where all of its files are, with the reason, in both forms of a page."""
    index.html = html
    index.release("apple", "1.0", yanked='it "broke" & more')
    index.release("pear", "1.0")
    index.source("pear", "1.0", yanked="only the sdist")
    index.release("plum", "1.0", yanked=True)
    pins = [pin(index, name) for name in ("apple", "pear", "plum")]
    assert mark(*pins)[:2] == ['it "broke" & more', None]
    assert mark(*pins)[2] == ""
    assert mark(pin(index, "pear", 1)) == ["only the sdist"]


def test_hashes_only_and_versions_only(index, mark):
    """A pin is found by its hashes, or without files by its version."""
    index.release("apple", "0.9")
    index.release("apple", "1.0", yanked="broken")
    digest = f"sha256:{index.file('apple', 1).sha256}"
    assert mark(Pin("apple", "1.0", (PinnedFile("", (digest,)),)), Pin("apple", "1.0")) == [
        "broken",
        "broken",
    ]
    assert mark(Pin("apple", "0.9")) == [None]


def test_offline_the_last_data_count(index, mark):
    """Without asking, what was known last counts; nothing known is nothing said, and nobody is asked."""
    index.release("apple", "1.0", yanked="broken")
    wanted = pin(index, "apple")
    assert mark(wanted, ask=False) == [None]
    assert index.asked == []
    mark(wanted)
    index.asked.clear()
    assert mark(wanted, ask=False) == mark(wanted, ask=False) == ["broken"]
    assert index.asked == []


def test_a_page_that_has_not_changed_is_not_sent_again(index, mark, tmp_path):
    """The ETag of the last answer is told, and a change is seen: also that a release is withdrawn no longer."""
    index.release("apple", "1.0", yanked="broken")
    wanted = pin(index, "apple")
    assert mark(wanted) == mark(wanted) == ["broken"]
    held = {path: path.stat().st_ino for path in (tmp_path / "cache").iterdir()}
    mark(wanted)
    assert {path: path.stat().st_ino for path in (tmp_path / "cache").iterdir()} == held
    index.file("apple").yanked = False
    assert mark(wanted) == [None]


def test_an_index_that_fails_withdraws_nothing(index, mark):
    """Where the index does not answer, or answers nonsense, the last data count."""
    index.release("apple", "1.0", yanked="broken")
    wanted = pin(index, "apple")
    mark(wanted)
    index.broken = True
    assert mark(wanted) == ["broken"]
    index.broken = False
    index.documents["/simple/fig/"] = b"nonsense"
    assert mark(Pin("fig", "1.0"), Pin("nowhere", "1.0")) == [None, None]


def test_kept_data_that_were_damaged_are_no_data(index, mark, tmp_path):
    """A damaged file of the cache is asked for again."""
    index.release("apple", "1.0", yanked="broken")
    mark(pin(index, "apple"))
    for path in (tmp_path / "cache").iterdir():
        path.write_text('{"etag": 1, "files": [3]}')
    assert mark(pin(index, "apple"), ask=False) == [None]
    assert mark(pin(index, "apple")) == ["broken"]


def test_the_first_index_that_has_the_release_counts(index, tmp_path):
    """Of several indexes the first that knows the release says whether it is withdrawn."""
    index.release("apple", "1.0", yanked="broken")
    urls = [f"{index.url}/empty/", index.simple]
    assert [each.yanked for each in asked([pin(index, "apple")], urls, tmp_path)] == ["broken"]


def test_the_indexes_are_those_of_uv():
    """The variables of uv tell the indexes, those beside the default first."""
    assert indexes({}) == ("https://pypi.org/simple",)
    assert indexes({"UV_INDEX": "a=https://a/ https://b/", "UV_INDEX_URL": "https://c/"}) == (
        "https://a/",
        "https://b/",
        "https://c/",
    )


def test_what_uv_says_is_read(index):
    """Uv's warnings mark the pins that they name, whatever stands in a reason."""
    index.release("apple", "1.0")
    index.release("pear", "1.0")
    said = 'warning: `apple==1.0` is yanked (reason: "a (b) "c"")\nwarning: `pear==2.0` is yanked\n'
    assert [each.yanked for each in told([pin(index, "apple"), pin(index, "pear")], said)] == [
        'a (b) "c"',
        None,
    ]
