"""Secrets of webhooks, followed releases, listeners and the removal of a project, over REST."""

import hashlib
import hmac
import json

import pytest
from pydantic import SecretStr
from sqlmodel import SQLModel, select

from farm_scheduler.access_tables import AccessToken, AuditEntry, KeptAnswer
from farm_scheduler.deliveries import Incoming, Notice, record_delivery
from farm_scheduler.event_tables import Delivery, Event, ProjectSecret
from farm_scheduler.feedback_tables import Channel, Listener, Report, ReportState
from farm_scheduler.project_removal import GO, STAY
from farm_scheduler.release_watch import follow
from farm_scheduler.roles import Role
from farm_scheduler.states import JobState, RunState
from farm_scheduler.tables import Job, Project, Run, Share
from farm_scheduler.triggers import Trigger
from farm_scheduler.watch_tables import Watch

from .conftest import opened

REPOSITORY = "https://github.com/me/demo.git"


def _call(door, method, path, headers, body=None):
    return door.client.request(method, "/api/v1" + path, json=body, headers=headers)


def _add(door, name="demo"):
    """A project at a forge, and the headers of its maintainer."""
    admin = door.token(Role.ADMIN)
    made = door.post("/projects", {"name": name, "repository": REPOSITORY, "forge": "github"}, admin)
    assert made.status_code == 201
    return made.json()["id"], door.token(Role.MAINTAINER, project=name), admin


def _audit(door):
    with door.database.read() as session:
        found = [each.action for each in session.exec(select(AuditEntry).order_by(AuditEntry.id))]
    return [action for action in found if action != "token.make"]


def test_a_secret_is_told_once_and_opens_the_webhook(door):
    """A secret made over REST signs a webhook at once, two are valid, and one that is ended is refused."""
    _, headers, _ = _add(door)
    made = [door.post("/projects/demo/secrets", {}, headers).json() for _ in range(3)]
    listed = door.get("/projects/Demo/secrets", headers).json()["items"]
    assert [each["id"] for each in listed] == [made[2]["made"]["id"], made[1]["made"]["id"]]
    assert "whsec_" not in json.dumps(listed)
    assert _push(door, made[0]["secret"], "1") == 403
    assert [_push(door, each["secret"], each["made"]["id"]) for each in made[1:]] == [202, 202]
    gone = made[2]["made"]["id"]
    assert _call(door, "DELETE", f"/projects/demo/secrets/{gone}", headers).status_code == 204
    assert _call(door, "DELETE", f"/projects/demo/secrets/{gone}", headers).status_code == 404
    assert _push(door, made[2]["secret"], "4") == 403
    assert _push(door, made[1]["secret"], "5") == 202
    with door.database.read() as session:
        kept = str(session.exec(select(AuditEntry.details)).all())
    assert all(each["secret"] not in kept for each in made)


def _push(door, secret, delivery):
    body = json.dumps({"zen": "x", "repository": {"clone_url": REPOSITORY, "full_name": "me/demo"}}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": "ping", "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json",
    }  # fmt: skip
    return door.client.post("/webhooks/github", content=body, headers=headers).status_code


def test_a_given_secret_is_not_told_back(lite):
    """One that the forge made is kept sealed and answered without its text; a short or odd one is refused."""
    _, headers, _ = _add(lite)
    given = "a-secret-of-the-forge"
    key = {**headers, "Idempotency-Key": "one"}
    made = lite.post("/projects/demo/secrets", {"given": given}, key)
    assert (made.status_code, made.json()["secret"]) == (201, None)
    assert lite.post("/projects/demo/secrets", {"given": given}, key).status_code == 409
    with lite.database.read() as session:
        assert given not in str(session.exec(select(KeptAnswer)).all())
        assert given not in session.exec(select(ProjectSecret)).one().sealed
    assert lite.post("/projects/demo/secrets", {"given": "short"}, headers).status_code == 422
    odd = lite.post("/projects/demo/secrets", {"given": "sixteen letters \u2028 and more"}, headers)
    assert (odd.status_code, odd.json()["code"]) == (400, "input")


def test_releases_are_followed_over_rest(door):
    """Following is said, told, and ended, once each; a pattern is the admins' to follow."""
    _, headers, admin = _add(door)
    assert door.get("/projects/demo/following").status_code == 404
    for _ in range(2):
        told = _call(door, "PUT", "/projects/Demo/following", headers)
        assert (told.status_code, told.json()["project"]) == (200, "demo")
    assert [each["project"] for each in door.get("/followings").json()["items"]] == ["demo"]
    assert door.get("/followings", door.token(Role.READER, project="other")).json()["items"] == []
    assert _call(door, "DELETE", "/projects/demo/following", headers).status_code == 204
    assert _call(door, "DELETE", "/projects/demo/following", headers).status_code == 404
    assert _call(door, "PUT", "/patterns/pytest-*", headers).status_code == 403
    assert _call(door, "PUT", "/patterns/Py_test.%3F*", admin).json()["pattern"] == "py-test-?*"
    assert [each["pattern"] for each in door.get("/patterns").json()["items"]] == ["py-test-?*"]
    assert _call(door, "PUT", "/patterns/pytest", admin).json()["code"] == "input"
    assert _call(door, "DELETE", "/patterns/py-test-%3F*", admin).status_code == 204
    assert _call(door, "DELETE", "/patterns/py-test-%3F*", admin).status_code == 404
    assert _audit(door)[-4:] == ["project.follow", "project.unfollow", "project.follow", "project.unfollow"]


def test_mail_without_a_mail_server_is_refused_over_rest(settings, tmp_path):
    """A farm that sends no mail says what to set, and keeps nothing."""
    silent = settings.model_copy(update={"smtp_url": SecretStr("")})
    with opened(silent, f"sqlite:///{tmp_path / 'lite.sqlite'}") as door:
        _, headers, _ = _add(door)
        told = _call(door, "PUT", "/projects/demo/listeners/email", headers, {"place": "me@example.org"})
        assert (told.status_code, told.json()["code"]) == (400, "input")
        assert "set WHEELFARM_SMTP_URL" in told.json()["title"]
        assert door.get("/projects/demo/listeners", headers).json()["items"] == []


def test_listeners_are_added_and_ended_over_rest(door):
    """A status needs a token, a webhook gives its secret once, mail an address; none is told back."""
    _, headers, _ = _add(door)
    at = "/projects/demo/listeners"
    assert _call(door, "PUT", f"{at}/status", headers, {}).json()["code"] == "input"
    token = "token-of-the-forge"
    status = _call(door, "PUT", f"{at}/status", headers, {"token": token})
    assert (status.status_code, status.json()["secret"], token in status.text) == (200, None, False)
    hook = _call(door, "PUT", f"{at}/webhook", headers, {"place": "https://chat.example.org/hook?a=1"})
    assert hook.json()["secret"].startswith("whsec_")
    again = _call(door, "PUT", f"{at}/webhook", headers, {"place": "https://chat.example.org/hook?a=1"})
    assert again.json()["secret"] != hook.json()["secret"]
    assert _call(door, "PUT", f"{at}/email", headers, {"place": "me@example.org"}).status_code == 200
    listed = door.get(at, headers).json()["items"]
    assert [each["channel"] for each in listed] == ["email", "status", "webhook"]
    assert again.json()["secret"] not in json.dumps(listed)
    for place in (
        "http://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://db.internal/x",
        "ftp://x.org/",
        "https://",
        "https://[x/",
        "https://x.org:99999/",
        "https://me:hidden@x.org/",
    ):
        refused = _call(door, "PUT", f"{at}/webhook", headers, {"place": place})
        assert refused.status_code == 400, place
        assert "hidden" not in refused.text
    for channel in ("status", "webhook", "email"):
        assert _call(door, "DELETE", f"{at}/{channel}", headers).status_code == 204
        assert _call(door, "DELETE", f"{at}/{channel}", headers).status_code == 404
    with door.database.read() as session:
        assert token not in str(session.exec(select(AuditEntry.details)).all())


@pytest.mark.parametrize("url", ["https://[github.com/x", "https://a]b/x", "https://github.com:x/y"])
def test_a_url_that_cannot_be_read_is_refused(lite, url):
    """Of a repository and of a webhook alike: a problem, and nothing is changed."""
    admin = lite.token(Role.ADMIN)
    assert lite.post("/projects", {"name": "demo"}, admin).status_code == 201
    put = lite.client.put("/api/v1/projects/demo/listeners/webhook", json={"place": url}, headers=admin)
    patched = lite.client.patch("/api/v1/projects/demo", json={"repository": url}, headers=admin)
    made = lite.post("/projects", {"name": "other", "repository": url}, admin)
    assert [(each.status_code, each.json()["code"]) for each in (put, patched, made)] == [(400, "target")] * 3


def test_redelivery_is_asked_for_over_rest(door):
    """GitHub is asked with a token that is never told back; no other forge can be, and no word passes for a key."""
    _, headers, admin = _add(door)
    at = "/projects/demo/redelivery"
    assert door.get(at, headers).status_code == 404
    token = "token-of-the-forge"
    asked = _call(door, "PUT", at, headers, {"token": token})
    assert (asked.status_code, asked.json()["app_id"], token in asked.text) == (200, None, False)
    assert door.get(at, headers).json() == asked.json()
    for wrong in ({"token": ""}, {"token": token, "app": "12345"}, {"token": token, "app": "x y"}):
        assert _call(door, "PUT", at, headers, wrong).json()["code"] == "input", wrong
    assert _call(door, "DELETE", at, headers).status_code == 204
    assert _call(door, "DELETE", at, headers).status_code == 404
    elsewhere = {"name": "there", "repository": "https://gitlab.com/me/there.git"}
    assert door.post("/projects", elsewhere, admin).status_code == 201
    refused = _call(door, "PUT", "/projects/there/redelivery", admin, {"token": token})
    assert (refused.status_code, "is not at GitHub" in refused.json()["title"]) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/projects/demo/secrets", Role.MAINTAINER),
        ("POST", "/projects/demo/secrets", Role.MAINTAINER),
        ("DELETE", "/projects/demo/secrets/s-22222222", Role.MAINTAINER),
        ("GET", "/projects/demo/following", Role.READER),
        ("PUT", "/projects/demo/following", Role.MAINTAINER),
        ("DELETE", "/projects/demo/following", Role.MAINTAINER),
        ("GET", "/projects/demo/listeners", Role.MAINTAINER),
        ("PUT", "/projects/demo/listeners/email", Role.MAINTAINER),
        ("DELETE", "/projects/demo/listeners/email", Role.MAINTAINER),
        ("GET", "/projects/demo/redelivery", Role.MAINTAINER),
        ("PUT", "/projects/demo/redelivery", Role.MAINTAINER),
        ("DELETE", "/projects/demo/redelivery", Role.MAINTAINER),
        ("DELETE", "/projects/demo", Role.ADMIN),
        ("PUT", "/patterns/x*", Role.ADMIN),
        ("DELETE", "/patterns/x*", Role.ADMIN),
    ],
)
def test_nobody_below_the_role_comes_in(closed, method, path, role):
    """Without a token 401, below the role 403, and with a token for another project the door hides what is there."""
    _add(closed)
    body = {} if method in {"POST", "PUT"} else None
    if path.endswith("/redelivery") and method == "PUT":
        body = {"token": "token-of-the-forge"}
    assert _call(closed, method, path, {}, body).status_code == 401
    for low in (Role.READER, Role.SUBMITTER):
        if low is Role.READER and role is Role.READER:
            continue
        if role is not Role.READER:
            assert _call(closed, method, path, closed.token(low), body).status_code == 403
    if role is not Role.ADMIN:
        other = closed.token(Role.MAINTAINER, project="other")
        assert _call(closed, method, path, other, body).status_code == 404
    with closed.database.read() as session:
        assert session.exec(select(ProjectSecret)).first() is None
        assert session.exec(select(Project)).one().name == "demo"


def _fill(door, project_id):
    """Give a project all that one can have: an event, listeners, a watch, secrets, an open run and one that ended."""
    incoming = Incoming(
        forge="github", delivery_id="1", project_id=project_id, kind="push",
        notices=[Notice(trigger=Trigger.PUSH, target="git+" + REPOSITORY, ref="main", revision="a" * 40)],
    )  # fmt: skip
    record_delivery(door.database, incoming)
    with door.database.write() as session:
        for run_id in ("r-run23456", "r-fin23456"):
            session.get(Run, run_id).project_id = project_id
        session.add(Share(key=project_id, project_id=project_id))
        session.add(Listener(project_id=project_id, channel=Channel.EMAIL, place="me@example.org"))
        session.add(Report(run_id="r-fin23456", channel=Channel.EMAIL, stage="ended"))
        follow(session, session.get(Project, project_id))


def test_a_removed_project_leaves_its_runs(door):
    """Its open runs are cancelled, the others stay, its tokens are revoked, and nothing of it comes in any more."""
    project_id, maintainer, admin = _add(door)
    secret = door.post("/projects/demo/secrets", {}, maintainer).json()["secret"]
    _fill(door, project_id)
    assert _call(door, "DELETE", "/projects/demo", maintainer).status_code == 403
    told = _call(door, "DELETE", "/projects/Demo", admin)
    assert (told.status_code, told.json()) == (
        200, {"name": "demo", "cancelled": 1, "kept": 1, "tokens": 1},
    )  # fmt: skip
    assert _call(door, "DELETE", "/projects/demo", admin).status_code == 404
    assert door.get("/projects/demo", maintainer).status_code == 401
    assert _push(door, secret, "2") == 403
    assert door.get("/runs/r-fin23456").json()["project"] == "pluggy"
    with door.database.read() as session:
        for table in (Project, Event, Delivery, ProjectSecret, Listener, Watch):
            assert session.exec(select(table)).first() is None, table
        run = session.get(Run, "r-run23456")
        assert (run.project_id, run.state in {RunState.CANCELLING, RunState.CANCELLED}) == (None, True)
        waiting = session.exec(select(Job).where(Job.run_id == run.id, Job.state == JobState.QUEUED)).all()
        assert waiting == []
        assert session.exec(select(Report)).one().state is ReportState.DONE
        assert session.get(Share, project_id).project_id is None
        revoked = [each.role for each in session.exec(select(AccessToken)) if each.revoked]
    assert revoked == [Role.MAINTAINER]
    assert _audit(door)[-1] == "project.remove"
    again = door.post("/projects", {"name": "demo", "repository": REPOSITORY}, admin)
    assert again.status_code == 201


def test_nothing_leads_to_a_project_that_is_gone():
    """Every table that leads to a project is one whose rows go with it, or stay without it."""
    leads = {
        table.name
        for table in SQLModel.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table.name == "project"
    }
    assert leads == {each.__tablename__ for each in (*GO, *STAY)}
