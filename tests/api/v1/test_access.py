"""Who may do what over REST."""

from datetime import timedelta

import pytest
from sqlmodel import select

from farm_api.v1.rates import Rates
from farm_scheduler.access_tables import AccessToken, AuditEntry, Submission
from farm_scheduler.errors import TooBusyError
from farm_scheduler.roles import Role
from farm_scheduler.tables import Run, now

from ...scheduler.queued_runs import add_project, add_run
from .conftest import opened

RUN = "r-run23456"


def test_reading_is_public_unless_it_is_not(lite, closed):
    """Without a token everything is read by default; where public read is off, nothing is, pages neither."""
    assert lite.get("/runs").status_code == 200
    answer = closed.get("/runs")
    assert (answer.status_code, answer.json()["code"]) == (401, "token")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert closed.get("/runs", closed.token(Role.READER)).status_code == 200
    assert closed.client.get("/").status_code == 401
    assert closed.client.get("/", headers=closed.token(Role.READER)).status_code == 200
    assert closed.client.get("/healthz").status_code == 200


def test_a_browser_gives_its_token_as_a_password(closed):
    """Pages take a token by Basic as well, and the API does not."""
    secret = closed.token(Role.READER)["Authorization"].removeprefix("Bearer ")
    assert closed.client.get("/", auth=("anybody", secret)).status_code == 200
    assert closed.client.get("/", auth=("anybody", "wrong")).status_code == 401
    assert closed.client.get("/api/v1/runs", auth=("anybody", secret)).status_code == 401


@pytest.mark.parametrize("header", ["Bearer wf_wrong", "Bearer", "Basic eDp5", "Bearer \u00fc", ""])
def test_a_wrong_token_is_worse_than_none(lite, header):
    """A token that is not good is refused even where reading is public."""
    assert lite.get("/runs", {"Authorization": header.encode("latin-1")}).status_code == 401


def test_a_token_ends(door):
    """One that has expired or was revoked opens nothing."""
    headers = door.token(Role.ADMIN, days=1)
    token = door.get("/whoami", headers).json()["actor"]
    assert door.client.delete(f"/api/v1/tokens/{token}", headers=headers).json()["revoked"] is not None
    assert door.get("/whoami", headers).status_code == 401
    late = door.token(Role.ADMIN, days=1)
    with door.database.write() as session:
        for row in session.exec(select(AccessToken)):
            row.expires = now() - timedelta(seconds=1)
    assert door.get("/whoami", late).status_code == 401


def test_only_the_hash_of_a_secret_is_kept(door):
    """The secret stands in no table, and is in no list."""
    admin = door.token(Role.ADMIN)
    made = door.post("/tokens", {"name": "ci", "role": "submitter"}, admin).json()
    assert made["secret"].startswith("wf_")
    with door.database.read() as session:
        rows = [*session.exec(select(AccessToken)), *session.exec(select(AuditEntry))]
    assert not any(made["secret"] in str(row) for row in rows)
    assert made["secret"] not in door.get("/tokens", admin).text


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.READER, False), (Role.SUBMITTER, True), (Role.ADMIN, True)],
)
def test_roles_are_kept(lite, role, allowed):
    """Starting a run needs a submitter at least."""
    answer = lite.post("/runs", {"target": "six"}, lite.token(role))
    assert answer.status_code == (202 if allowed else 403)
    assert lite.post("/runs", {"target": "six"}).status_code == 401


def test_a_scope_hides_the_rest(closed):
    """A token of one project sees nothing of another, in lists, by id, or in the queue."""
    with closed.database.write() as session:
        mine = add_project(session, "pluggy")
        session.get_one(Run, "r-fin23456").project_id = mine.id
    headers = closed.token(Role.READER, project="pluggy")
    assert [run["id"] for run in closed.get("/runs", headers).json()["items"]] == ["r-fin23456"]
    other = closed.token(Role.READER, project="six")
    assert closed.get("/runs/r-fin23456", other).status_code == 404
    assert closed.get("/jobs/j-fin22222", other).status_code == 404
    assert closed.get("/runs/r-fin23456/events", other).status_code == 404
    assert closed.get("/runs", closed.token(Role.READER, project="attrs")).json()["items"] == []


def test_a_token_is_for_a_project_and_not_for_a_name(door):
    """A run is of the project that the farm follows, whatever its source says it is; a filter finds both names."""
    with door.database.write() as session:
        local = add_project(session, "local")
        (job,) = add_run(session, local, [10.0])
        run = session.get_one(Run, job.run_id)
        run.project = "Demo"
        (other,) = add_run(session, "demo", [10.0])
        asked = Submission(id=other.run_id, actor="t-2", scope="asked", target="demo", state="accepted")
        session.add(asked)
        session.add(Submission(id="r-open2345", actor="t-2", target="demo"))
    ours, named = door.token(Role.MAINTAINER, "local"), door.token(Role.MAINTAINER, "demo")
    for path in (
        f"/runs/{run.id}",
        f"/runs/{run.id}/artifacts",
        f"/jobs/{job.id}",
        f"/jobs/{job.id}/attempts",
    ):
        assert (door.get(path, ours).status_code, door.get(path, named).status_code) == (200, 404)
    found = {name: door.get("/runs", ours, project=name).json()["items"] for name in ("local", "demo", "six")}
    assert {name: [each["id"] for each in runs] for name, runs in found.items()} == {
        "local": [run.id], "demo": [run.id], "six": []
    }  # fmt: skip
    assert door.get("/runs", named).json()["items"] == []
    assert [each["job_id"] for each in door.get("/queue", ours).json()["jobs"]] == [job.id]
    assert door.get("/queue", named, project="demo").json()["jobs"] == []
    assert {each["job_id"] for each in door.get("/queue", project="demo").json()["jobs"]} == {
        job.id,
        other.id,
    }
    assert [each["job_id"] for each in door.get("/queue", project="local").json()["jobs"]] == [job.id]
    assert door.get(f"/runs/{other.run_id}", door.token(Role.READER, "asked")).status_code == 200
    assert door.post(f"/runs/{run.id}/cancel", None, named).status_code == 404
    assert door.post("/runs/r-open2345/cancel", None, named).status_code == 404
    assert door.post(f"/runs/{run.id}/cancel", None, ours).status_code == 200
    entry = door.get("/audit", door.token(Role.ADMIN)).json()["items"]
    assert [each["project"] for each in entry if each["subject"] == run.id] == ["local"]


def test_a_submitter_cancels_only_what_is_its_own(door):
    """A run that somebody else started is a maintainer's or an admin's to cancel."""
    assert door.post(f"/runs/{RUN}/cancel", None, door.token(Role.SUBMITTER)).status_code == 403
    done = door.post(f"/runs/{RUN}/cancel", None, door.token(Role.ADMIN))
    assert done.json()["before"] == "running"
    again = door.post(f"/runs/{RUN}/cancel", None, door.token(Role.ADMIN))
    assert again.json()["state"] in {"cancelling", "cancelled"}


def test_an_admin_changes_the_share_of_a_project(door):
    """Weight, quota and the place of the source are changed and read back; what is taken or inner is refused."""
    admin = door.token(Role.ADMIN)
    url = "https://github.com/me/Demo.git"
    made = door.post("/projects", {"name": "demo", "repository": url, "quota": 3}, admin).json()
    assert (made["forge"], made["address"], made["quota"]) == ("github", "github.com/me/demo", 3)
    assert door.post("/projects", {"name": "b", "repository": url}, admin).json()["code"] == "project"
    assert door.post("/projects", {"name": "b"}, admin).status_code == 201

    def change(name, **wanted):
        return door.client.patch(f"/api/v1/projects/{name}", json=wanted, headers=admin)

    changed = change("demo", weight=2, quota=None, repository="https://gitlab.com/me/demo").json()
    assert (changed["weight"], changed["quota"], changed["address"]) == (2.0, None, "gitlab.com/me/demo")
    assert change("demo", weight=None, quota=0).json()["quota"] == 0
    assert change("b", repository="https://gitlab.com/ME/demo").status_code == 409
    assert change("b", repository="https://10.0.0.1/x", forge="gitea").json()["code"] == "target"
    assert change("b", forge="gitea").status_code == 400
    for body in ('{"weight": NaN}', '{"weight": "nan"}', '{"weight": Infinity}', '{"weight": 1e999}'):
        json_headers = {**admin, "Content-Type": "application/json"}
        refused = door.client.patch("/api/v1/projects/b", content=body, headers=json_headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "request")
    assert change("nobody", paused=True).status_code == 404
    assert [project["address"] for project in door.get("/projects").json()["items"]] == [
        None,
        "gitlab.com/me/demo",
    ]


def test_priority_is_bounded_by_the_role(door):
    """Everybody may go behind others; before them a maintainer by six hours at most, an admin by a day."""
    for role, highest in ((Role.SUBMITTER, 0), (Role.MAINTAINER, 6), (Role.ADMIN, 24)):
        headers = door.token(role, project="six" if role is Role.MAINTAINER else None)
        assert (
            door.post("/runs", {"target": "six", "priority": highest}, headers).json()["priority"] == highest
        )
        assert door.post("/runs", {"target": "six", "priority": -24}, headers).status_code == 202
        over = door.post("/runs", {"target": "six", "priority": highest + 1}, headers)
        assert over.status_code == (422 if highest == 24 else 403)


def test_a_maintainer_stays_in_the_project(door):
    """Its tokens are of that project and no higher; its project can be paused, its weight not."""
    admin = door.token(Role.ADMIN)
    assert door.post("/projects", {"name": "Six"}, admin).status_code == 201
    assert door.post("/projects", {"name": "six"}, admin).status_code == 409
    mine = door.token(Role.MAINTAINER, project="six")
    wish = {"name": "ci", "role": "submitter", "project": "six"}
    assert door.post("/tokens", wish, mine).status_code == 201
    assert door.post("/tokens", {**wish, "project": "attrs"}, mine).status_code == 403
    assert door.post("/tokens", {"name": "ci", "role": "admin"}, mine).status_code == 403
    paused = door.client.patch("/api/v1/projects/six", json={"paused": True}, headers=mine)
    assert paused.json()["paused"] is True
    assert door.client.patch("/api/v1/projects/six", json={"weight": 9}, headers=mine).status_code == 403
    assert door.client.patch("/api/v1/projects/six", json={"quota": 9}, headers=mine).status_code == 403
    assert {token["project"] for token in door.get("/tokens", mine).json()["items"]} == {"six"}


def test_what_changes_something_is_in_the_audit_log(door):
    """Who did what to what is there for admins, newest first, and for nobody else."""
    admin = door.token(Role.ADMIN)
    actor = door.get("/whoami", admin).json()["actor"]
    door.post(f"/runs/{RUN}/cancel", None, admin)
    found = door.get("/audit", admin, actor=actor).json()["items"]
    assert [(item["action"], item["subject"]) for item in found] == [("run.cancel", RUN)]
    assert door.get("/audit", door.token(Role.MAINTAINER, project="six")).status_code == 403


def test_too_many_requests_are_refused_for_a_while():
    """A bucket runs empty, says when to come back, and fills with time; callers do not share one."""
    moment = [0.0]
    rates = Rates(60, clock=lambda: moment[0])
    for _ in range(60):
        rates.take("a")
    with pytest.raises(TooBusyError) as refused:
        rates.take("a")
    assert refused.value.data["retry_after"] == 2
    rates.take("b")
    moment[0] = 1.5
    rates.take("a")


def test_guessing_tokens_is_slow(lite):
    """Wrong tokens use up the requests of their address."""
    codes = {lite.get("/runs", {"Authorization": f"Bearer wf_{number}"}).status_code for number in range(80)}
    assert codes == {401, 429}


def test_guessing_tokens_at_the_pages_is_as_slow(settings, tmp_path):
    """A wrong token costs an address as much as at the API, and counts there as well."""
    settings = settings.model_copy(update={"public_read": False, "requests_per_minute": 30})
    with opened(settings, f"sqlite:///{tmp_path / 'closed.sqlite'}") as door:
        codes = [door.client.get("/", auth=("x", f"wf_{number}")).status_code for number in range(3)]
        assert codes == [401, 429, 429]
        assert door.get("/runs", {"Authorization": "Bearer wf_x"}).status_code == 429
        secret = door.token(Role.READER)["Authorization"].removeprefix("Bearer ")
        assert door.client.get("/", auth=("anybody", secret)).status_code == 200
