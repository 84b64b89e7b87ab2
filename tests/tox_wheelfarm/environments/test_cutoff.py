"""A cut-off on Python 2.7, whose pip knows none: what uv does with the same words is done there too."""

from datetime import UTC, datetime

import pytest

from tox_wheelfarm.past_index import PastIndex

from .test_old_interpreters import interpreter, source

TAG = "py2.py3-none-any"
EARLY, LATE = "2017-06-01T12:00:00Z", "2019-06-01T12:00:00.123456Z"


@pytest.fixture
def index(index):
    """Releases from before and after 2018; `old` is needed by the later `low` only."""
    for name, version, when, *needs in (
        ("low", "1.0", "2016-01-01T00:00:00Z"),
        ("low", "1.5", EARLY, "old"),
        ("low", "2.0", LATE, "old"),
        ("old", "1.0", EARLY),
        ("old", "3.0", LATE),
        ("late", "1.0", LATE),
    ):
        index.release(name, version, *needs, tag=TAG)
        index.uploads[f"{name}-{version}-{TAG}.whl"] = when
    return index


@pytest.fixture
def ini(bench, index):
    """Writes tox.ini for an interpreter that takes releases from the toys alone, and what makes it from PyPI."""
    del bench.variables["UV_DEFAULT_INDEX"]

    def write(version, cutoff, *deps, installer="latest", more=()):
        lines = ["skip_install = true", f"base_python = {interpreter(version)}", f"installer = {installer}"]
        asked = [f"  {each}" for each in (f"--index-url {index.simple}", *deps)]
        return bench.ini(*lines, f"cutoff = {cutoff}", *more, "deps =", *asked)

    return write


def toys(run):
    """What is installed, without what fills a Python 2.7."""
    return [line for line in run.packages() if line.split("==")[0] not in {"pip", "setuptools", "wheel"}]


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_a_cut_off_hides_the_same_from_every_python(bench, ini, version):
    """What was uploaded later is not seen, neither what is asked for nor what that needs."""
    ini(version, "2018-01-01", "low")
    assert toys(bench.passes()) == ["low==1.5", "old==1.0"]
    ini(version, "2017-06-01T12:00:00Z", "low")
    assert toys(bench.passes()) == ["low==1.0"]
    ini(version, "30 days", "low")
    assert toys(bench.passes()) == ["low==2.0", "old==3.0"]


def test_the_lowest_within_a_cut_off(bench, ini):
    """`lowest` on Python 2.7 sees what the cut-off leaves, and the newest of that for what is needed."""
    ini("2.7", "2018-01-01", "low>1.0", installer="lowest")
    assert toys(bench.passes()) == ["low==1.5", "old==1.0"]


def test_a_file_itself_is_from_before_the_cut_off(bench, index, ini):
    """Of a release whose wheel came later the source archive is taken; where it is from is recorded as it is."""
    index.files["low"]["low-1.7.tar.gz"] = (source("low", "1.7"), False)
    index.uploads["low-1.7.tar.gz"] = EARLY
    index.release("low", "1.7", tag=TAG)
    index.uploads[f"low-1.7-{TAG}.whl"] = LATE
    ini("2.7", "2018-01-01", "low")
    (file,) = [each for each in bench.passes().environment()["wheelfarm"]["files"] if each["name"] == "low"]
    assert (file["file"], file["url"]) == ("low-1.7.tar.gz", f"{index.url}/files/low/low-1.7.tar.gz")


def test_a_second_index_and_a_proxy_are_no_way_around_a_cut_off(bench, index, ini):
    """Every index is seen as it was, and a proxy that pip is told of is not asked for what this machine serves."""
    path = ini("2.7", "2018-01-01", f"--extra-index-url {index.simple}", "low")
    path.write_text(
        path.read_text("utf-8").replace(f"--index-url {index.simple}", f"--index-url {index.url}/", 1)
    )
    bench.variables["PIP_PROXY"] = "http://127.0.0.1:9"
    assert toys(bench.passes()) == ["low==1.5", "old==1.0"]


def test_what_a_cut_off_hides_is_told(bench, index, ini):
    """Where nothing is left of a name, the cut-off is named as the reason, and the index as people know it."""
    ini("2.7", "2018-01-01", "late")
    said = bench.fails().said
    assert "cutoff hides every release of late." in said
    assert f"Looking in indexes: {index.simple}\n" in said


def test_an_index_without_upload_times_is_told(bench, index, ini):
    """None of its releases is seen, and the sentence says why and of which page."""
    index.uploads.update(dict.fromkeys(index.uploads))
    ini("2.7", "2018-01-01", "low")
    said = bench.fails().said
    assert "ResolutionError: no set of releases satisfies what is asked for." in said
    assert f"{index.simple}low/ tells no upload times, which cutoff needs." in said


def test_a_cut_off_without_the_network_is_a_miss(bench, ini):
    """Of the files that are kept the times are not known: that is said, and nothing later is taken."""
    ini("2.7", "2020-01-01", "low")
    bench.passes()
    ini("2.7", "2018-01-01", "low", more=["offline = always"])
    assert "OfflineMissError: offline = always: when the kept files were uploaded" in bench.fails().said


@pytest.mark.parametrize("cutoff", ["2019-02-30", "P1M"])
def test_a_cut_off_that_is_in_no_calendar_is_refused(bench, ini, cutoff):
    """As uv refuses it."""
    ini("2.7", cutoff, "low")
    assert f"cutoff = '{cutoff}' is no date" in bench.fails().said


def test_a_name_and_password_go_to_the_index_alone(index):
    """What is on the host of the index is had with them, as pip does; what is elsewhere is not."""
    before = datetime(2018, 1, 1, tzinfo=UTC)
    past = PastIndex(before, {"a/0": index.simple.replace("//", "//me:word@")})
    page = past.page("/a/0/Low/")
    assert page.count(f'href="{index.url.replace("//", "//me:word@")}/files/low/') == 2
    assert past.page("/a/1/low/") is past.page("/low/") is None
    host = index.url
    index.url = "http://files.example.org"
    past = PastIndex(before, {"a/0": f"{host}/simple/".replace("//", "//me:word@", 1)})
    assert "me:word" not in past.page("/a/0/low/")
