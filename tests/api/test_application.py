"""The HTTP application and the pages in it."""

import re

import pytest

from .serving import served

JOB = "/runs/r-fin23456/jobs/j-fin22222"
LIVE = "/runs/r-run23456/jobs/j-run22221"


@pytest.fixture
def client(settings, runs):
    """A client of the application over the realistic record."""
    del runs
    with served(settings) as found:
        yield found


def test_health_answers(client):
    """`/healthz` says ok while the record answers."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_other_names_of_this_machine_are_refused(client):
    """A page of somebody else cannot read the farm's by giving this machine a name of its own."""
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:8600"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/runs/r-fin23456",
        JOB,
        JOB + "/log",
        JOB + "/log.txt",
        "/runs/nope",
        "/nope",
        "/queue",
        "/static/style.css",
    ],
)
def test_every_page_has_a_strict_policy(client, path):
    """No page may run, load or frame anything but the farm's own files."""
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/queue", "/runs/r-fin23456", "/runs/r-run23456", JOB, LIVE])
def test_no_page_has_anything_inline(client, path):
    """Scripts and styles are files: what the policy forbids is not there."""
    text = client.get(path).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize(
    "path", ["/", "/runs/r-fin23456", "/runs/r-can23456", JOB, "/runs/r-fin23456/jobs/j-fin22223"]
)
def test_a_guests_text_is_no_markup(client, path):
    """What a project or a test is called is shown, not run, and cannot turn the direction of a line."""
    text = client.get(path).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_the_page_of_a_run_says_what_the_command_says(client):
    """Words, counts, reasons, failing tests and what was left out are all there, and each cell leads to its job."""
    text = client.get("/runs/r-fin23456").text
    for piece in (
        "install-failed",
        "timed-out",
        "3 failed, 116 passed, 1 skipped",
        "test_register_validation",
        "AssertionError: assert",
        'href="r-fin23456/jobs/j-fin22221"',
        "needs network (https://docs.python.org)",
        "not as expected",
    ):
        assert piece in text


def test_only_green_is_green(client):
    """The good colour is on passed cells alone, and no colour is without its symbol."""
    text = client.get("/runs/r-fin23456").text
    cells = re.findall(r'class="cell (\w+)".*?aria-hidden="true">(.)</span> ([\w-]+)', text, re.DOTALL)
    assert {word for tone, _, word in cells if tone == "good"} == {"passed"}
    assert {mark for tone, mark, _ in cells if tone == "bad"} == {"✗"}
    assert len(cells) == 7


def test_the_page_of_a_job_has_all_of_it(client):
    """Verdict, reason, steps, failing tests with their tracebacks, and where the log is."""
    text = client.get(JOB).text
    for piece in (
        "failed",
        "install",
        "test_register_validation",
        "AssertionError: assert",
        'data-source="j-fin22222/log"',
    ):
        assert piece in text
    assert "data-live" not in text
    assert 'data-live="2"' in client.get(LIVE).text


def test_tests_are_searched_and_filtered(client):
    """The filter and the search are in the address, and what is searched for is shown as text."""
    found = client.get(JOB, params={"q": "hostile", "state": "failed"}).text
    assert "1 test with" in found
    assert "test_register_validation</span>" not in found
    assert "No such test" in client.get(JOB, params={"q": '"><script>alert(2)'}).text
    assert "<script>alert(2)" not in client.get(JOB, params={"q": '"><script>alert(2)'}).text


def test_a_log_is_given_piece_by_piece(client, settings):
    """The first piece is the end of the log, and its cursor goes on with what came since."""
    first = client.get(JOB + "/log").json()
    assert first["text"].count("PASSED") == 60
    assert first["ended"] is True
    assert not {"\x1b", "\u202e"} & set(first["text"])
    again = client.get(JOB + "/log", params={"after": first["cursor"]}).json()
    assert (again["text"], again["more"]) == ("", False)
    assert settings.home.is_dir()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (JOB + "/log?after=nonsense", 422),
        (JOB + "?page=0", 422),
        (JOB + "?state=nonsense", 422),
        (JOB + "?q=" + "x" * 300, 422),
        (JOB + "?attempt=9", 404),
        ("/runs/r-run23456/jobs/j-fin22222", 404),
        ("/runs/r-fin23456/jobs/nope/log", 404),
        (LIVE + "/log.txt", 404),
    ],
)
def test_a_wrong_address_of_a_job_is_refused(client, path, status):
    """What is not there is 404, what no page links to is refused, and nothing of it is an error of the farm."""
    assert client.get(path).status_code == status


def test_a_page_refreshes_itself_only_while_something_runs(client):
    """The live mark, and the way without a script, are there for a run at work and gone afterwards."""
    assert 'data-live="2"' in client.get("/runs/r-run23456").text
    assert 'http-equiv="refresh"' in client.get("/runs/r-run23456").text
    finished = client.get("/runs/r-fin23456").text
    assert "data-live" not in finished
    assert "http-equiv" not in finished


def test_the_list_links_to_every_run(client):
    """The first page has a link to each of the newest runs, newest first."""
    assert re.findall(r'href="runs/([^"]+)"', client.get("/").text) == [
        "r-run23456",
        "r-fin23456",
        "r-can23456",
    ]


@pytest.mark.parametrize("path", ["/runs/nope", "/nope", "/runs/../../etc/passwd", "/static/../site.py"])
def test_what_is_not_there_is_a_page_that_says_so(client, path):
    """An unknown address gives 404 and a readable page."""
    answer = client.get(path)
    assert answer.status_code == 404
    assert "Not here" in answer.text


def test_a_value_that_cannot_be_is_a_page_that_says_so(client):
    """A page is for people to read, also when the address is wrong."""
    for path in (f"/queue?project={'x' * 300}", "/runs/r-fin23456/jobs/j-fin22222/log?after=zz"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
        assert path.partition("?")[2].partition("=")[0] in answer.text


def test_an_empty_farm_says_how_to_begin(settings, database):
    """Without any run the first page names the command."""
    del database
    with served(settings) as client:
        assert "wheelfarm run" in client.get("/").text
