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
from farm_scheduler.feedback import due_reports, plan_reports
from farm_scheduler.feedback_tables import Channel, Report, ReportState
from farm_scheduler.listeners import add_listener
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings
from farm_scheduler.states import JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Job, Project, Run, Test, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict
from farm_workers.feedback.requests import FORGES, status_request
from farm_workers.feedback.sending import report_runs

COMMIT = "ab" * 20
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


class Farm:
    """A record with one project at that server."""

    def __init__(self, database: Database, settings: Settings, server: Server) -> None:
        self.database, self.settings, self.server = database, settings, server
        self.count = 0

    def project(self, forge: str) -> None:
        """A project at a forge."""
        with self.database.write() as session:
            url = f"http://{self.server.host}/me/demo.git"
            session.add(Project(id="p-1", name="demo", forge=forge, repository=url))

    def listen(self, channel: Channel, **where: str) -> str | None:
        """Have somebody told."""
        with self.database.write() as session:
            project = session.get_one(Project, "p-1")
            return add_listener(session, secret_box(self.settings), project, channel, **where)

    def run(self, exit_code: int | None = None, state: RunState = RunState.FINISHED) -> str:
        """A run of the project, later than those before."""
        self.count += 1
        run = Run(id=f"r-{self.count}", target="x", project="demo", source_sha256="0", project_id="p-1")
        run.state, run.exit_code, run.ref, run.revision = state, exit_code, "main", COMMIT
        run.finished = now() if state in {RunState.FINISHED, RunState.CANCELLED} else None
        run.trigger, run.created = Trigger.PUSH, now() - timedelta(hours=1) + timedelta(seconds=self.count)
        with self.database.write() as session:
            session.add(run)
            session.flush()
            cell = Cell(id=f"c-{self.count}", run_id=run.id, position=0, system="s", label="py3.12 · s")
            session.add(cell)
            session.flush()
            verdict = Verdict.PASSED if exit_code == 0 else Verdict.FAILED
            job = Job(id=f"j-{self.count}", run_id=run.id, cell_id=cell.id, state=JobState.FINISHED)
            job.verdict = verdict
            session.add(job)
            session.flush()
            session.add(Attempt(id=f"a-{self.count}", job_id=job.id, number=1))
            session.flush()
            if exit_code:
                test = Test(
                    attempt_id=f"a-{self.count}", environment="e", name="test_x", status="fail", position=0
                )
                session.add(test)
        return run.id

    def tell(self) -> list[dict[str, Any]]:
        """What is told now, as JSON."""
        self.server.taken.clear()
        report_runs(self.database, self.settings)
        return [json.loads(body) for _, _, body in self.server.taken]

    def reports(self) -> list[Report]:
        """All reports."""
        with self.database.read() as session:
            return list(session.exec(select(Report)))


@pytest.fixture
def farm(tmp_path: Path, record: Database, record_url: str, server: Server) -> Farm:
    """A farm that may ask that server."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        git_hosts=(server.host,),
        public_url="https://farm.example/",
    )
    settings.prepare()
    return Farm(record, settings, server)


@pytest.mark.parametrize("forge", PATHS)
def test_a_commit_gets_one_status_that_is_kept_up(farm: Farm, server: Server, forge: str) -> None:
    """Each forge is told at its documented address, first that a run waits, then how it ended."""
    farm.project(forge)
    farm.listen(Channel.STATUS, token=TOKEN)
    run_id = farm.run(None, RunState.QUEUED)
    (pending,) = farm.tell()
    path, headers, _ = server.taken[0]
    assert path == PATHS[forge]
    assert TOKEN in headers.get("authorization", "") + headers.get("private-token", "")
    field, words = STATES[forge]
    assert pending[field] == "pending"
    assert farm.tell() == []
    with farm.database.write() as session:
        run = session.get_one(Run, run_id)
        run.state, run.exit_code, run.finished = RunState.FINISHED, 1, now()
    (ended,) = farm.tell()
    assert ended[field] in words - {"pending", "success"}
    text = ended.get("description") or ended.get("comment")
    assert text == "1 failed"
    assert f"https://farm.example/runs/{run_id}" in ended.values()
    assert ended.get("context", ended.get("name", ended.get("username"))) == "wheelfarm"
    assert farm.tell() == []


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
    farm: Farm, forge: str, code: int | None, state: RunState
) -> None:
    """Whatever becomes of a run is told in a word that the forge documents, green for nothing but success."""
    farm.project(forge)
    farm.listen(Channel.STATUS, token=TOKEN)
    farm.run(code, state)
    plan_reports(farm.database)
    (telling,) = due_reports(farm.database, farm.settings)
    request = status_request(telling, TOKEN)
    field, words = STATES[forge]
    word = json.loads(request.body)[field]
    assert word in words
    assert (word in {"success", "SUCCESSFUL"}) == (code == 0)
    assert TOKEN not in request.url + repr(request) + repr(telling)


def test_a_webhook_is_told_of_changes_only(farm: Farm, server: Server) -> None:
    """The first good run is no news, the first bad one is, a second is not, and the first good one after it is."""
    farm.project("gitea")
    secret = farm.listen(Channel.WEBHOOK, place=f"http://{server.host}/hook")
    told = []
    for code in (0, 0, 1, 1, 3, 1, 0, 0):
        farm.run(code)
        told.append([each["outcome"] for each in farm.tell()])
    assert told == [[], [], ["failure"], [], [], [], ["success"], []]
    farm.run(1)
    (message,) = farm.tell()
    assert message["failing"] == ["py3.12 · s: test_x"]
    _, headers, body = server.taken[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(str(secret).removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{right}"


@pytest.mark.parametrize("status", [500, 401, 302])
def test_what_is_not_taken_is_told_again(farm: Farm, server: Server, status: int) -> None:
    """A forge that fails, refuses or sends on is asked again later, and the report keeps what was said."""
    farm.project("gitea")
    farm.listen(Channel.STATUS, token=TOKEN)
    farm.run(0)
    server.status = status
    assert len(farm.tell()) == 1
    (report,) = farm.reports()
    assert (report.state, report.tries) == (ReportState.WAITING, 1)
    assert str(status) in str(report.reason)
    assert farm.tell() == []
    with farm.database.write() as session:
        session.exec(select(Report)).one().not_before = now() - timedelta(seconds=1)
    server.status = 201
    assert len(farm.tell()) == 1
    assert farm.reports()[0].state is ReportState.DONE


def test_a_run_that_is_opened_again_is_told_again(farm: Farm) -> None:
    """After a rerun the commit's status is that of its new end."""
    farm.project("gitea")
    farm.listen(Channel.STATUS, token=TOKEN)
    run_id = farm.run(1)
    assert [each["state"] for each in farm.tell()] == ["failure"]
    with farm.database.write() as session:
        run = session.get_one(Run, run_id)
        run.exit_code, run.finished = 0, now()
    assert [each["state"] for each in farm.tell()] == ["success"]
    assert farm.tell() == []


def test_an_internal_address_is_not_told(farm: Farm, server: Server) -> None:
    """A webhook to an address that is not allowed is never sent."""
    farm.project("gitea")
    farm.listen(Channel.WEBHOOK, place=f"http://{server.host}/hook")
    farm.run(1)
    closed = farm.settings.model_copy(update={"git_hosts": ()})
    report_runs(farm.database, closed)
    assert server.taken == []
    assert "WHEELFARM_GIT_HOSTS" in str(farm.reports()[0].reason)


def test_mail_without_a_mail_server_is_told(farm: Farm) -> None:
    """A farm that cannot send mail says what to set."""
    farm.project("gitea")
    farm.listen(Channel.EMAIL, place="me@example.org")
    farm.run(1)
    report_runs(farm.database, farm.settings)
    assert "WHEELFARM_SMTP_URL" in str(farm.reports()[0].reason)
