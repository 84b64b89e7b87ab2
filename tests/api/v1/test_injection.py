"""SQL, header and path injection at every door that takes text: refused or taken as the text that it is."""

import base64
import itertools
import json
import socket
import urllib.parse

import pytest
from sqlmodel import func, select

from farm_api.v1.application import PREFIX, create_api
from farm_scheduler.access_tables import Submission
from farm_scheduler.roles import Role
from farm_scheduler.tables import Attempt, Job, Project, Run, Test

from .conftest import opened

RUN, JOB, CELL = "r-fin23456", "j-fin22222", "c-fin22222"
SQL = (
    "' OR '1'='1", "x'; DROP TABLE run; --", "1 UNION SELECT secret_sha256 FROM access_token --", "%' --", "\\'; --",
    "$$;SELECT pg_sleep(9)$$", "{{7*7}}", ":state", "%(state)s", "?1",
)  # fmt: skip
TEXTS = (
    *SQL, "a\r\nSet-Cookie: x=1", "a\nX-Injected: 1", "\x00", "a\x00b", "\u2028", "\ud800", "\u202e",
    "../../tokens", "..%2f..%2ftokens", "x" * 5000, "-1", "1e999", "NaN", "[]", "null",
)  # fmt: skip
GOOD = {
    "run": RUN, "job": JOB, "other": JOB, "cell": CELL, "attempt": "a-22222222", "project": "demo",
    "token": "t-22222222", "upload": "u-22222222", "system": "debian-12", "secret": "s-22222222",
    "pattern": "x*", "channel": "email",
}  # fmt: skip
BODIES = {
    "start_run": {
        "target": "six", "upload": "u-22222222", "pythons": ["3.12"], "systems": ["debian-12"],
        "installers": ["latest"], "constraints": ["c.txt"], "cutoff": "2026-01-31T00:00:00Z",
    },
    "make_project": {"name": "six", "forge": "github", "repository": "https://github.com/me/six.git"},
    "change_project": {"repository": "https://github.com/me/demo.git", "forge": "github"},
    "make_token": {"name": "ci", "role": "reader", "project": "demo"},
    "open_upload": {"name": "demo", "kind": "folder", "bytes": 9, "sha256": "0" * 64},
    "make_secret": {"given": "a-secret-of-the-forge"},
    "add_listener": {"place": "me@example.org", "token": "token-of-the-forge"},
}  # fmt: skip
CALM = {"dispose_garbage", "delete_project", "revoke_token"}
"""What would change the record whatever text comes with it is asked with bad text only."""


@pytest.fixture
def wide(settings, record_url):
    """An API that lets a caller ask as often as a test does, on SQLite and on PostgreSQL in turn."""
    with opened(settings.model_copy(update={"requests_per_minute": 1_000_000}), record_url) as found:
        yield found


def _operations(settings, database):
    """(method, path, operation) of everything but live events, which do not end by themselves."""
    for path, operations in create_api(database, settings).openapi()["paths"].items():
        for method, operation in operations.items():
            if not path.endswith("/events") or path == "/events":
                yield method.upper(), path, operation


def _fill(path, **wrong):
    """An address with good values, but for what is to be wrong."""
    values = {**GOOD, **wrong}
    return path.format(**{name: urllib.parse.quote(_bytes(value), safe="") for name, value in values.items()})


def _is_plain(text):
    """Whether a client library sends it in a header."""
    return text.isascii() and text.isprintable()


def _bytes(text):
    return text.encode("utf-8", "surrogatepass")


def _wrong_requests(path, operation, text):
    """One request for each place of an operation that takes text, with the text in that place."""
    name = operation["operationId"]
    body = BODIES.get(name, {})
    for parameter in operation.get("parameters", []):
        kind = parameter["name"]
        if parameter["in"] == "path":
            yield {"url": _fill(path, **{kind: text}), "json": body}
        elif parameter["in"] == "query":
            query = urllib.parse.urlencode({kind: _bytes(text)})
            yield {"url": f"{_fill(path)}?{query}", "json": body}
        elif _is_plain(text) and name not in CALM:
            yield {"url": _fill(path), "json": body, "headers": {kind: text}}
    for field, good in body.items():
        yield {"url": _fill(path), "json": {**body, field: [text] if isinstance(good, list) else text}}
        yield {"url": _fill(path), "json": {**body, text: good}}


def _counts(database):
    with database.read() as session:
        return [
            session.exec(select(func.count()).select_from(each)).one() for each in (Run, Job, Attempt, Test)
        ]


@pytest.mark.parametrize("kind", ["sql", "other"])
def test_text_in_any_place_is_text(wide, kind):
    """No text in any parameter, field or header of any operation fails the server, or changes what it should not."""
    admin = wide.token(Role.ADMIN)
    assert wide.post("/projects", {"name": "demo"}, admin).status_code == 201
    before, asked = _counts(wide.database), 0
    for method, path, operation in _operations(wide.settings, wide.database):
        answers = {int(code) for code in operation["responses"]}
        for text in SQL if kind == "sql" else TEXTS[len(SQL) :]:
            for wrong in _wrong_requests(path, operation, text):
                headers = {**admin, **wrong.pop("headers", {})}
                wrong["url"] = PREFIX + wrong["url"]
                content = json.dumps(wrong.pop("json")).encode()
                if method in {"POST", "PUT", "PATCH"}:
                    wrong["content"] = content
                    headers.setdefault("Content-Type", "application/json")
                answer = wide.client.request(method, headers=headers, **wrong)
                told = (method, path, text, answer.status_code, answer.text[:300])
                assert answer.status_code in answers | {404, 405, 422}, told
                assert answer.status_code != 429, told
                assert answer.status_code < 500, told
                assert "x-injected" not in answer.headers, told
                assert "set-cookie" not in answer.headers, told
                asked += 1
    assert asked > 500
    assert _counts(wide.database) == before
    with wide.database.read() as session:
        assert {each.name for each in session.exec(select(Project))} <= {"demo", "six"}


def test_a_search_is_for_the_text_itself(door):
    """The wildcards of SQL are letters like others in a search."""
    attempt = door.get(f"/jobs/{JOB}/attempts").json()["items"][0]["id"]
    everything = door.get(f"/attempts/{attempt}/tests", limit=500).json()["items"]
    for text in ("%", "_", "\\", "'", "test_%", "') OR 1=1 --"):
        found = door.get(f"/attempts/{attempt}/tests", limit=500, search=text).json()["items"]
        wanted = [each for each in everything if text in f"{each['environment']} {each['name']}"]
        assert [each["name"] for each in found] == [each["name"] for each in wanted], text
        assert len(found) < len(everything) or text == "_"


CURSORS = (
    ["' OR 1=1 --"], ["2026-01-01T00:00:00+00:00", "' OR '1'='1"], ["2026-01-01"], [{"$gt": ""}], [[1]], [None],
    [True], [1e400], [2**80], ["\x00"], ["\ud800"], ["9999-99-99T00:00:00+00:00", "x"], [], "x", 5,
    ["2026-01-01T00:00:00+00:00", "github", "x' UNION SELECT 1 --"],
)  # fmt: skip


def test_a_forged_cursor_leads_nowhere_else(door):
    """A cursor of anybody's making is refused, or gives a page of the same list; never an error of the server."""
    admin = door.token(Role.ADMIN)
    lists = ("/runs", "/projects", "/tokens", "/audit", "/events", "/deliveries", "/followings", "/patterns")
    for path, values in itertools.product(lists, CURSORS):
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        answer = door.get(path, admin, after=cursor)
        told = (path, values, answer.status_code, answer.text)
        assert answer.status_code in {200, 400, 422}, told
        if answer.status_code == 200:
            assert set(answer.json()) == {"items", "next"}, told
        elif answer.status_code == 400:
            assert answer.json()["code"] == "cursor", told


def test_the_last_event_id_is_no_more_than_a_place(lite):
    """A Last-Event-ID of anybody's making gives the whole report, or a log, or is refused, and comes back nowhere."""
    attempt = lite.get(f"/jobs/{JOB}/attempts").json()["items"][0]["id"]
    paths = (f"/runs/{RUN}/events", f"/attempts/{attempt}/log/events")
    for path, text in itertools.product(paths, filter(_is_plain, TEXTS)):
        answer = lite.get(path, {"Last-Event-ID": text})
        assert answer.status_code in {200, 422}, (path, text, answer.text)
        if answer.status_code == 200:
            assert "event: end" in answer.text
            assert f"id: {text}\n" not in answer.text


LINES = (
    b"Idempotency-Key: a\rX-Injected: 1", b"Idempotency-Key: a\x00b", b"Last-Event-ID: \r X: 1", b"X-Bad\r: 1",
    b"Authorization: Bearer wf_\x7f\x00", b"Upload-Offset: 1\n 2", b"Host: evil.example", b"Content-Length: 5",
    b"Transfer-Encoding: chunked", b"Content-Length: 0\r\nContent-Length: 9",
)  # fmt: skip


def test_raw_headers_cannot_be_split(lite):
    """What no client library sends is refused by the server, or is no header of the answer; no refused run is made."""
    token = lite.token(Role.SUBMITTER)["Authorization"]
    taken = 0
    for line in LINES:
        answer = _send_raw(lite, token, line)
        head = answer.partition(b"\r\n\r\n")[0].lower()
        status = int(head.split()[1]) if head else 400
        assert b"x-injected" not in head
        assert status in {202, 400, 401, 408, 422}, (line, answer)
        taken += status == 202
        with lite.database.read() as session:
            assert len(session.exec(select(Submission)).all()) == taken, (line, answer)


def _send_raw(lite, token, line):
    """Ask for a run with this line among the headers; the whole answer."""
    body = b'{"target": "six"}'
    request = b"\r\n".join(
        [
            f"POST {PREFIX}/runs HTTP/1.1".encode(), b"Host: 127.0.0.1", f"Authorization: {token}".encode(),
            b"Content-Type: application/json", b"Content-Length: %d" % len(body), line, b"Connection: close", b"", body,
        ]
    )  # fmt: skip
    base = lite.client.base_url
    with socket.create_connection((base.host, base.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return answer
