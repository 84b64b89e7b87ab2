"""Comments: one on each pull request, changed in place, at GitHub and what is like it, and at GitLab."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm_scheduler.database import Database
from farm_scheduler.errors import InputError
from farm_scheduler.feedback_tables import Channel, ReportState
from farm_scheduler.settings import Settings
from farm_scheduler.states import RunState

from .github_server import TOKEN, GitHub
from .told_farm import Farm

LISTS = {
    "gitea": r"/api/v1/repos/me/demo/issues/7/comments",
    "forgejo": r"/api/v1/repos/me/demo/issues/7/comments",
    "gitlab": r"/api/v4/projects/me%2Fdemo/merge_requests/7/notes",
}
ITEMS = {
    "gitea": ("PATCH", r"/api/v1/repos/me/demo/issues/comments/(\d+)"),
    "forgejo": ("PATCH", r"/api/v1/repos/me/demo/issues/comments/(\d+)"),
    "gitlab": ("PUT", r"/api/v4/projects/me%2Fdemo/merge_requests/7/notes/(\d+)"),
}


@pytest.fixture
def farm(github_farm: Farm) -> Farm:
    """A farm that comments at GitHub."""
    github_farm.listen(Channel.COMMENT, token=TOKEN)
    return github_farm


def test_a_pull_request_has_one_comment(farm: Farm, github: GitHub) -> None:
    """Each run of a pull request changes the comment of the first; another request has its own."""
    for code in (1, 0):
        farm.pull(farm.run(code), 7)
        farm.tell()
    farm.pull(farm.run(1), 8)
    farm.tell()
    seventh, eighth = github.comments.values()
    assert (seventh["issue"], eighth["issue"]) == ("7", "8")
    assert "as expected, ` 1 passed `" in seventh["body"]
    assert "not as expected" in eighth["body"]
    assert "py3.12 · s: test_x" in eighth["body"]
    assert "[the run](https://farm.example/runs/" in eighth["body"]


def test_a_request_that_comes_after_the_push_is_told(farm: Farm, github: GitHub) -> None:
    """A run of a push that has ended is told on the pull request that is opened later, and on a second one."""
    run_id = farm.run(0)
    farm.tell()
    assert github.comments == {}
    for number in (7, 8):
        farm.pull(run_id, number)
        farm.pull(run_id, number)
        farm.tell()
    assert [each["issue"] for each in github.comments.values()] == ["7", "8"]


def test_the_newest_run_is_what_is_told(farm: Farm, github: GitHub) -> None:
    """A run that ends after a newer one, or is cancelled, changes nothing."""
    older, cancelled = farm.run(None, RunState.RUNNING), farm.run(130, RunState.CANCELLED)
    newer = farm.run(0)
    for run_id in (older, cancelled, newer):
        farm.pull(run_id, 7)
    farm.tell()
    farm.finish(older, 1)
    farm.tell()
    (comment,) = github.comments.values()
    assert "as expected" in comment["body"]
    assert "not as expected" not in comment["body"]


def test_a_lost_answer_makes_no_second_comment(farm: Farm, github: GitHub) -> None:
    """When the comment was made and the answer lost, the next try finds it among others by its mark."""
    for _ in range(40):
        github.take("POST", "/api/v3/repos/me/demo/issues/7/comments", TOKEN, {"body": "me too"}, {}, {})
    farm.pull(farm.run(0), 7)
    github.deaf = lambda method, _path: method == "POST"
    farm.tell()
    assert farm.reports()[0].state is ReportState.WAITING
    github.deaf = lambda _method, _path: False
    farm.hurry()
    farm.tell()
    assert sum("wheelfarm" in each["body"] for each in github.comments.values()) == 1
    assert farm.reports()[0].state is ReportState.DONE


def test_a_removed_comment_is_made_anew(farm: Farm, github: GitHub) -> None:
    """Where somebody removed it, the next run has a new one."""
    farm.pull(farm.run(0), 7)
    farm.tell()
    github.comments.clear()
    farm.pull(farm.run(1), 7)
    farm.tell()
    farm.pull(farm.run(0), 7)
    farm.tell()
    (comment,) = github.comments.values()
    assert "not as expected" not in comment["body"]


def test_what_guests_wrote_stays_code(farm: Farm, github: GitHub) -> None:
    """A test's name cannot leave its block: no link, no mention, no picture."""
    farm.pull(farm.run(1, failing=[("``` @all <img src=x>\n# [x](http://x)", None)]), 7)
    farm.tell()
    (comment,) = github.comments.values()
    _, _, behind = comment["body"].partition("````\n")
    inside, _, after = behind.partition("\n````")
    assert "@all <img src=x> # [x](http://x)" in inside
    assert "@all" not in after


@pytest.mark.parametrize("forge", ["bitbucket", "pagure"])
def test_a_forge_without_them_is_refused(github_farm: Farm, forge: str) -> None:
    """Where the farm knows no comments, nobody is promised one."""
    github_farm.change_forge(forge)
    with pytest.raises(InputError, match="it does at github, gitlab, forgejo, gitea"):
        github_farm.listen(Channel.COMMENT, token=TOKEN)


class Notes:
    """Takes comments at the addresses that a forge documents."""

    def __init__(self, forge: str) -> None:
        self.bodies: dict[str, str] = {}
        self.wrong: list[str] = []
        notes, (change, item) = self, ITEMS[forge]

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                rows = [{"id": int(number), "body": body} for number, body in notes.bodies.items()]
                self._take(re.fullmatch(LISTS[forge], self.path.partition("?")[0]), 200, rows)

            def do_POST(self) -> None:
                self._change(re.fullmatch(LISTS[forge], self.path), str(len(notes.bodies) + 1), 201)

            def do_PATCH(self) -> None:
                found = re.fullmatch(item, self.path)
                self._change(found if change == self.command else None, found[1] if found else "", 200)

            do_PUT = do_PATCH  # noqa: N815 - the name that http.server looks for

            def _change(self, found: object, number: str, status: int) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if found:
                    notes.bodies[number] = document["body"]
                self._take(found, status, {"id": int(number or 0)})

            def _take(self, found: object, status: int, reply: Any) -> None:
                given = self.headers.get("Authorization", "") + self.headers.get("PRIVATE-TOKEN", "")
                if not found or TOKEN not in given:
                    notes.wrong.append(f"{self.command} {self.path}")
                sent = json.dumps(reply).encode()
                self.send_response(status if found else 404)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"


@pytest.fixture(params=LISTS)
def notes(request: pytest.FixtureRequest) -> Iterator[tuple[str, Notes]]:
    """A running server, as each forge."""
    found = Notes(request.param)
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield request.param, found
    found.http.shutdown()
    found.http.server_close()
    thread.join(timeout=10)


def test_each_forge_is_told_at_its_own_address(
    tmp_path: Path, record: Database, record_url: str, notes: tuple[str, Notes]
) -> None:
    """The comment is made and changed where each forge documents it, with its own header for the token."""
    forge, server = notes
    settings = Settings(home=tmp_path / "home", database_url=record_url, git_hosts=(server.host,))
    settings.prepare()
    farm = Farm(record, settings, server.host)
    farm.project(forge)
    farm.listen(Channel.COMMENT, token=TOKEN)
    for code in (1, 0):
        farm.pull(farm.run(code), 7)
        farm.tell()
    assert server.wrong == []
    (body,) = server.bodies.values()
    assert "as expected, ` 1 passed `" in body
