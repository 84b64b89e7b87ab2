"""Reading the record over REST."""

import base64
from datetime import timedelta

import pytest

from farm_images.subunit_stream import Decoder
from farm_scheduler.event_tables import Delivery, Event
from farm_scheduler.roles import Role
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.triggers import Trigger

RUN = "r-fin23456"
JOB = "j-fin22222"


def _attempt(door, job=JOB):
    return door.get(f"/jobs/{job}/attempts").json()["items"][0]


def test_everything_of_a_run_is_to_be_had(door):
    """From the list of runs one gets to the run, its cells, jobs, attempts, steps and tests."""
    runs = door.get("/runs").json()["items"]
    assert {run["id"] for run in runs} == {"r-fin23456", "r-run23456", "r-can23456"}
    assert door.get(f"/runs/{RUN}").json()["exit_code"] == 1
    cells = door.get(f"/runs/{RUN}/cells").json()["items"]
    assert [cell["position"] for cell in cells] == list(range(7))
    assert door.get(f"/cells/{cells[0]['id']}").json() == cells[0]
    jobs = door.get(f"/runs/{RUN}/jobs", verdict="failed").json()["items"]
    assert [job["id"] for job in jobs] == [JOB]
    attempt = _attempt(door)
    assert door.get(f"/attempts/{attempt['id']}").json() == attempt
    assert door.get(f"/attempts/{attempt['id']}/steps").json()["items"][0]["name"] == "farm:install"
    tests = door.get(f"/attempts/{attempt['id']}/tests", outcome="failed", search="hostile").json()["items"]
    assert len(tests) == 1


def test_a_report_is_what_people_see(door):
    """The report has the words, counts and failing tests that the command shows."""
    report = door.get(f"/runs/{RUN}/report", failing=1).json()
    failed = report["cells"][2]
    assert (failed["verdict"], failed["failed"], len(failed["failing"])) == ("failed", 3, 1)
    assert "stream_path" not in failed


def test_pages_are_walked_without_skipping_or_doubling(door):
    """Each item comes once, whatever the size of a page, and a run that comes meanwhile moves none."""
    seen, after = [], None
    while True:
        page = door.get("/runs", limit=1, **({"after": after} if after else {})).json()
        seen += [item["id"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
        with door.database.write() as session:
            session.add(Run(target="six", project="six", source_sha256="3" * 64, created=now()))
    assert len(seen) == len(set(seen)) == 3


@pytest.mark.parametrize(
    "cursor",
    [
        "WyJ4Il0", "bm9uc2Vuc2U", "W10", "Wzks", "WyIyMDI2LTAxLTAxIiwgNV0",
        base64.urlsafe_b64encode(b'["0001-01-01T00:00:00+23:59","x"]').decode().rstrip("="),
        base64.urlsafe_b64encode(b'["9999-12-31T23:59:59-23:59","x"]').decode().rstrip("="),
    ],
)  # fmt: skip
def test_a_cursor_of_something_else_is_refused(lite, cursor):
    """A cursor that this list has not made is bad input, not a server error."""
    answer = lite.get("/runs", after=cursor)
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor")


def test_lists_are_filtered(door):
    """Runs are found by project in any spelling, by state, and by how they ended."""
    assert {run["project"] for run in door.get("/runs", project="PLUGGY").json()["items"]} == {"pluggy"}
    assert [run["id"] for run in door.get("/runs", state="cancelled").json()["items"]] == ["r-can23456"]
    assert RUN in {run["id"] for run in door.get("/runs", failed=True).json()["items"]}


def test_the_queue_tells_what_waits(door):
    """A queued job stands in the queue with its run, why it waits and for how long; all are counted."""
    found = door.get("/queue", limit=1).json()
    assert (found["waiting"], {item["run_id"] for item in found["jobs"]}) == (1, {"r-run23456"})
    assert found["jobs"][0]["wait"] in {"machine", "image"}
    assert found["jobs"][0]["reason"]
    assert door.get("/queue", project="attrs").json()["jobs"] == []


def test_events_and_deliveries_are_told(door):
    """What came in by itself is listed newest first, page by page, filtered, and with its run where it has one."""
    with door.database.write() as session:
        for name in ("demo", "other"):
            session.add(Project(id=f"p-{name}", name=name))
        session.flush()
        for number, name in enumerate(("demo", "demo", "other")):
            at = now() + timedelta(seconds=number)
            reason = "a branch was deleted" if number == 1 else None
            session.add(Delivery(forge="github", delivery_id=str(number), project_id=f"p-{name}", kind="push",
                                 reason=reason, received=at))  # fmt: skip
            session.flush()
            session.add(Event(forge="github", delivery_id=str(number), project_id=f"p-{name}", trigger=Trigger.PUSH,
                              target="git+https://h.org/x", ref="main", created=at,
                              run_id=RUN if number == 0 else f"r-{number}"))  # fmt: skip
    first = door.get("/events", project="Demo", limit=1).json()
    second = door.get("/events", project="Demo", limit=1, after=first["next"]).json()
    found = [*first["items"], *second["items"]]
    assert [(each["delivery_id"], each["run_id"]) for each in found] == [("1", None), ("0", RUN)]
    assert second["next"] is None
    assert len(door.get("/events", state="waiting", trigger="push").json()["items"]) == 3
    assert door.get("/events", trigger="tag").json()["items"] == []
    assert door.get("/deliveries", door.token(Role.SUBMITTER)).status_code == 403
    told = door.get("/deliveries", door.token(Role.ADMIN), ignored=True).json()["items"]
    assert [each["reason"] for each in told] == ["a branch was deleted"]
    mine = door.token(Role.MAINTAINER, project="other")
    assert [each["delivery_id"] for each in door.get("/deliveries", mine).json()["items"]] == ["2"]
    assert [each["project"] for each in door.get("/events", mine).json()["items"]] == ["other"]
    assert door.get("/events", mine, project="demo").json()["items"] == []


def test_images_and_projects_are_to_be_had(door):
    """Both are listed and read by name; a project's name in any spelling."""
    with door.database.write() as session:
        session.add(Project(name="zope-interface"))
    assert door.get("/images").json()["items"][0]["name"] == "debian-12"
    assert door.get("/images/debian-12").json()["state"] == "ready"
    assert door.get("/projects/Zope.Interface").json()["name"] == "zope-interface"


def test_what_is_had_already_is_not_sent_again(door):
    """A GET with the ETag of the answer before is 304 without a body; one with another is 200."""
    first = door.get(f"/runs/{RUN}")
    etag = first.headers["etag"]
    same = door.get(f"/runs/{RUN}", {"If-None-Match": f'"x", W/{etag}'})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert door.get(f"/runs/{RUN}", {"If-None-Match": '"x"'}).status_code == 200


def test_artifacts_are_fetched(lite):
    """The evidence comes byte by byte, JUnit and the run's stream are made, and the log is harmless."""
    attempt = _attempt(lite)["id"]
    names = [item["href"] for item in lite.get(f"/attempts/{attempt}/artifacts").json()["items"]]
    evidence, log = (lite.get(name) for name in names)
    assert evidence.content == (lite.settings.home / f"streams/{JOB}.subunit").read_bytes()
    kept = lite.get(names[0], {"If-None-Match": evidence.headers["etag"]})
    assert kept.status_code == 304
    assert "PASSED" in log.text
    assert "\x1b" not in log.text
    assert lite.get(f"/runs/{RUN}/junit.xml").content.startswith(b"<?xml")
    whole = lite.get(f"/runs/{RUN}/evidence.subunit").content
    events = [*(decoder := Decoder()).feed(whole), *decoder.close()]
    assert any((event.route_code or "").startswith("py3.11-debian-12") for event in events)


@pytest.mark.parametrize("path", ["/runs", "/nowhere", f"/runs/{RUN}/junit.xml", f"/runs/{RUN}/events"])
def test_no_answer_is_taken_for_a_page(lite, path):
    """Every answer forbids sniffing and scripts: a log or a name of a guest stays text in a browser."""
    headers = lite.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_log_goes_on_at_its_cursor(lite):
    """The first piece is the end of the log, the next what came since."""
    attempt = _attempt(lite)["id"]
    first = lite.get(f"/attempts/{attempt}/log").json()
    assert (first["ended"], first["text"].count("PASSED")) == (True, 60)
    assert lite.get(f"/attempts/{attempt}/log", after=first["cursor"]).json()["text"] == ""


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/runs/r-22222222", 404, "not-found"),
        ("/runs/nonsense", 422, "request"),
        ("/runs?limit=0", 422, "request"),
        ("/attempts/a-22222222/log", 404, "not-found"),
        ("/nowhere", 404, "not-found"),
    ],
)
def test_every_error_is_a_problem(lite, path, status, code):
    """What cannot be given is told as problem+json with a stable code."""
    answer = lite.get(path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["status"] == status


@pytest.mark.parametrize("path", ["/api/v1/runs", "/webhooks/github"])
def test_what_nobody_foresaw_is_a_problem_too(lite, monkeypatch, caplog, path):
    """An error that is a mistake of the farm's is answered as every other, and is in the log."""

    def fail(*_given, **_named):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr("farm_api.v1.runs.read_page", fail)
    monkeypatch.setattr("farm_api.webhooks.doors.receive", fail)
    answer = lite.client.request("GET" if "api" in path else "POST", path)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert (answer.json()["code"], answer.headers["x-content-type-options"]) == ("internal", "nosniff")
    assert "secret" not in answer.text
    assert f"{path} failed unexpectedly" in caplog.text


def test_a_wrong_method_says_which_are_right(lite):
    """405 comes with Allow, as a problem."""
    answer = lite.client.put("/api/v1/runs")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in answer.headers["allow"]


def test_events_of_a_run_that_has_ended(lite):
    """A stream of such a run has the report and an end; with the last id again only the end."""
    text = lite.get(f"/runs/{RUN}/events").text
    assert [line for line in text.splitlines() if line.startswith("event:")] == [
        "event: report",
        "event: end",
    ]
    last = next(line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id:"))
    again = lite.get(f"/runs/{RUN}/events", {"Last-Event-ID": last}).text
    assert "event: report" not in again
    assert "event: end" in again


def test_events_of_a_log(lite):
    """The log comes in events, and goes on behind the last id."""
    attempt = _attempt(lite)["id"]
    text = lite.get(f"/attempts/{attempt}/log/events").text
    assert text.count("PASSED") == 60
    last = [line.removeprefix("id: ") for line in text.splitlines() if line.startswith("id:")][-1]
    again = lite.get(f"/attempts/{attempt}/log/events", {"Last-Event-ID": last}).text
    assert "event: log" not in again
    assert "event: end" in again
