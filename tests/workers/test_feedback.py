"""Feedback: what forges, webhooks and people are told, held against a server that takes what each forge documents."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from farm_scheduler.database import Database
from farm_scheduler.feedback import plan_reports, take_report, telling_of
from farm_scheduler.feedback_tables import Channel, Report, ReportState
from farm_scheduler.settings import Settings
from farm_scheduler.states import RunState
from farm_scheduler.tables import Run, now
from farm_workers.feedback.requests import FORGES, status_request
from farm_workers.feedback.sending import Reporter

from .told_farm import COMMIT, Farm, tell

TOKEN = "token-of-the-forge"
PATHS = {
    "github": f"/api/v3/repos/me/demo/statuses/{COMMIT}",
    "gitea": f"/api/v1/repos/me/demo/statuses/{COMMIT}",
    "forgejo": f"/api/v1/repos/me/demo/statuses/{COMMIT}",
    "gitlab": f"/api/v4/projects/me%2Fdemo/statuses/{COMMIT}",
    "pagure": f"/api/0/me/demo/c/{COMMIT}/flag",
}
STATES = {
    "github": ("state", {"pending", "success", "failure", "error"}),
    "gitea": ("state", {"pending", "success", "error", "failure", "warning"}),
    "forgejo": ("state", {"pending", "success", "error", "failure", "warning"}),
    "gitlab": ("state", {"pending", "running", "success", "failed", "canceled"}),
    "pagure": ("status", {"pending", "success", "error", "failure", "canceled"}),
    "bitbucket": ("state", {"INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"}),
}
"""The field and the words that each forge documents for a commit's status."""


class Server:
    """Takes POSTs, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 201
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                server.taken.append((self.path, names, body))
                self.send_response(server.status)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    found = Server()
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    found.http.server_close()
    thread.join(timeout=10)


class ServedFarm(Farm):
    """A farm whose only listener is that server."""

    def __init__(self, database: Database, settings: Settings, server: Server) -> None:
        super().__init__(database, settings, server.host)
        self.server = server

    def told(self) -> list[dict[str, Any]]:
        """What is told now, as JSON."""
        self.server.taken.clear()
        self.tell()
        return [json.loads(body) for _, _, body in self.server.taken]


@pytest.fixture
def farm(tmp_path: Path, record: Database, record_url: str, server: Server) -> "ServedFarm":
    """A farm that may ask that server."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        git_hosts=(server.host,),
        public_url="https://farm.example/",
    )
    settings.prepare()
    return ServedFarm(record, settings, server)


@pytest.mark.parametrize("forge", PATHS)
def test_a_commit_gets_one_status_that_is_kept_up(farm: ServedFarm, server: Server, forge: str) -> None:
    """Each forge is told at its documented address, first that a run waits, then how it ended."""
    farm.project(forge)
    farm.listen(Channel.STATUS, token=TOKEN)
    run_id = farm.run(None, RunState.QUEUED)
    (pending,) = farm.told()
    path, headers, _ = server.taken[0]
    assert path == PATHS[forge]
    assert TOKEN in headers.get("authorization", "") + headers.get("private-token", "")
    field, words = STATES[forge]
    assert pending[field] == "pending"
    assert farm.told() == []
    with farm.database.write() as session:
        run = session.get_one(Run, run_id)
        run.state, run.exit_code, run.finished = RunState.FINISHED, 1, now()
    (ended,) = farm.told()
    assert ended[field] in words - {"pending", "success"}
    text = ended.get("description") or ended.get("comment")
    assert text == "1 failed"
    assert f"https://farm.example/runs/{run_id}" in ended.values()
    assert ended.get("context", ended.get("name", ended.get("username"))) == "wheelfarm"
    assert farm.told() == []


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize(
    ("code", "state"),
    [
        (0, RunState.FINISHED),
        (1, RunState.FINISHED),
        (3, RunState.FINISHED),
        (130, RunState.CANCELLED),
        (None, RunState.RUNNING),
    ],
)  # fmt: skip
def test_every_outcome_has_a_word_of_the_forge(
    farm: ServedFarm, forge: str, code: int | None, state: RunState
) -> None:
    """Whatever becomes of a run is told in a word that the forge documents, green for nothing but success."""
    farm.project(forge)
    farm.listen(Channel.STATUS, token=TOKEN)
    farm.run(code, state)
    plan_reports(farm.database)
    taken = take_report(farm.database)
    assert taken is not None
    telling = telling_of(farm.database, farm.settings, taken.id)
    assert telling is not None
    request = status_request(telling, TOKEN)
    field, words = STATES[forge]
    word = json.loads(request.body)[field]
    assert word in words
    assert (word in {"success", "SUCCESSFUL"}) == (code == 0)
    assert TOKEN not in request.url + repr(request) + repr(telling)


def test_a_webhook_is_told_of_changes_only(farm: ServedFarm, server: Server) -> None:
    """The first good run is no news, the first bad one is, a second is not, and the first good one after it is."""
    farm.project("gitea")
    secret = farm.listen(Channel.WEBHOOK, place=f"http://{server.host}/hook")
    told = []
    for code in (0, 0, 1, 1, 3, 1, 0, 0):
        farm.run(code)
        told.append([each["outcome"] for each in farm.told()])
    assert told == [[], [], ["failure"], [], [], [], ["success"], []]
    farm.run(1)
    (message,) = farm.told()
    assert message["failing"] == ["py3.12 · s: test_x"]
    _, headers, body = server.taken[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(str(secret).removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"


@pytest.mark.parametrize("status", [500, 401, 302])
def test_what_is_not_taken_is_told_again(farm: ServedFarm, server: Server, status: int) -> None:
    """A forge that fails, refuses or sends on is asked again later, and the report keeps what was said."""
    farm.project("gitea")
    farm.listen(Channel.STATUS, token=TOKEN)
    farm.run(0)
    server.status = status
    assert len(farm.told()) == 1
    (report,) = farm.reports()
    assert (report.state, report.tries) == (ReportState.WAITING, 1)
    assert str(status) in str(report.reason)
    assert farm.told() == []
    with farm.database.write() as session:
        session.exec(select(Report)).one().not_before = now() - timedelta(seconds=1)
    server.status = 201
    assert len(farm.told()) == 1
    assert farm.reports()[0].state is ReportState.DONE


def test_a_run_that_is_opened_again_is_told_again(farm: ServedFarm) -> None:
    """After a rerun the commit's status is that of its new end."""
    farm.project("gitea")
    farm.listen(Channel.STATUS, token=TOKEN)
    run_id = farm.run(1)
    assert [each["state"] for each in farm.told()] == ["failure"]
    with farm.database.write() as session:
        run = session.get_one(Run, run_id)
        run.exit_code, run.finished = 0, now()
    assert [each["state"] for each in farm.told()] == ["success"]
    assert farm.told() == []


def test_an_internal_address_is_not_told(farm: ServedFarm, server: Server) -> None:
    """A webhook to an address that is not allowed is never sent."""
    farm.project("gitea")
    farm.listen(Channel.WEBHOOK, place=f"http://{server.host}/hook")
    farm.run(1)
    closed = farm.settings.model_copy(update={"git_hosts": ()})
    tell(Reporter(farm.database, closed))
    assert server.taken == []
    assert "WHEELFARM_GIT_HOSTS" in str(farm.reports()[0].reason)


def test_mail_without_a_mail_server_is_told(farm: ServedFarm) -> None:
    """A farm that cannot send mail says what to set."""
    farm.project("gitea")
    farm.listen(Channel.EMAIL, place="me@example.org")
    farm.run(1)
    tell(Reporter(farm.database, farm.settings))
    assert "WHEELFARM_SMTP_URL" in str(farm.reports()[0].reason)
