"""If-Match: what is changed is what was read, on both databases."""

import hashlib
import json

import pytest

from farm_scheduler.database import Database
from farm_scheduler.roles import Role

from .test_project_doors import REPOSITORY

UPLOAD = b"\x1f\x8b" + b"x" * 8
CHANGES = [
    ("PATCH", "/projects/demo", {"json": {"paused": True}}),
    ("DELETE", "/projects/demo", {}),
    ("PUT", "/projects/demo/following", {}),
    ("DELETE", "/projects/demo/following", {}),
    ("PUT", "/projects/demo/redelivery", {"json": {"token": "another-of-the-forge"}}),
    ("DELETE", "/projects/demo/redelivery", {}),
    ("PATCH", "/uploads/UPLOAD", {"content": UPLOAD}),
    ("DELETE", "/uploads/UPLOAD", {}),
]


@pytest.fixture
def admin(door):
    """An admin's headers, at a farm with a project that has all."""
    headers = door.token(Role.ADMIN)
    door.post("/projects", {"name": "demo", "repository": REPOSITORY, "forge": "github"}, headers)
    assert _call(door, "PUT", "/projects/demo/following", headers).status_code == 200
    body = {"token": "a-token-of-the-forge"}
    assert _call(door, "PUT", "/projects/demo/redelivery", headers, json=body).status_code == 200
    return headers


def _call(door, method, path, headers, tags=None, **body):
    kind = {"Upload-Offset": "0", "Content-Type": "application/octet-stream"} if "content" in body else {}
    sent = [*headers.items(), *kind.items(), *(("If-Match", tag) for tag in tags or ())]
    return door.client.request(method, "/api/v1" + path, headers=sent, **body)


def _place(door, headers, path):
    if "UPLOAD" not in path:
        return path
    wish = {"name": "demo", "kind": "folder", "bytes": 10, "sha256": hashlib.sha256(UPLOAD).hexdigest()}
    return path.replace("UPLOAD", door.post("/uploads", wish, headers).json()["id"])


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_what_was_read_is_changed_and_nothing_else(door, admin, method, path, body):
    """Another tag, a weak one and none are 412 and change nothing; the right one among others is good."""
    path = _place(door, admin, path)
    before = door.get(path, admin)
    tag = before.headers["etag"]
    for wrong in (['"nope"'], [f"W/{tag}"], [tag.strip('"')], [""], ['"a", "b"', '"c"']):
        refused = _call(door, method, path, admin, wrong, **body)
        assert refused.headers["content-type"] == "application/problem+json"
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition"), wrong
        assert door.get(path, admin).content == before.content
    assert _call(door, method, path, admin, ['"nope"', f'"a,b", {tag}'], **body).status_code in {200, 204}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_star_is_what_is_there(door, admin, method, path, body):
    """`*` fits whatever there is."""
    path = _place(door, admin, path)
    assert _call(door, method, path, admin, ["*"], **body).status_code in {200, 204}


def test_two_who_read_the_same_do_not_both_change_it(door, admin):
    """The second one learns that it has read what is no more."""
    tag = [door.get("/projects/demo").headers["etag"]]
    assert _call(door, "PATCH", "/projects/demo", admin, tag, json={"weight": 2.0}).status_code == 200
    assert _call(door, "PATCH", "/projects/demo", admin, tag, json={"weight": 3.0}).status_code == 412
    assert door.get("/projects/demo").json()["weight"] == 2.0


def test_nothing_comes_between_the_look_and_the_change(door, admin, monkeypatch):
    """What was changed after the request came, and before its transaction, counts."""
    tag = [door.get("/projects/demo").headers["etag"]]
    write, between = Database.write, [True]

    def late(database):
        if between and between.pop():
            assert _call(door, "PATCH", "/projects/demo", admin, json={"weight": 2.0}).status_code == 200
        return write(database)

    monkeypatch.setattr(Database, "write", late)
    assert _call(door, "PATCH", "/projects/demo", admin, tag, json={"weight": 3.0}).status_code == 412
    assert door.get("/projects/demo").json()["weight"] == 2.0


def test_what_is_not_there_fits_nothing(door, admin):
    """A PUT that would make something is refused with `*`; what is missing otherwise is 404 as always."""
    for path, body in (("following", {}), ("redelivery", {"json": {"token": "a-token-of-the-forge"}})):
        place = f"/projects/demo/{path}"
        assert _call(door, "DELETE", place, admin).status_code == 204
        assert _call(door, "PUT", place, admin, ["*"], **body).status_code == 412
        assert door.get(place, admin).status_code == 404
        assert _call(door, "DELETE", place, admin, ['"nope"']).status_code == 404
    assert _call(door, "PATCH", "/projects/none", admin, ["*"], json={"paused": True}).status_code == 404
    assert _call(door, "DELETE", "/projects/demo", {}, ['"nope"']).status_code == 401


def test_no_door_leaves_a_condition_out(lite, root):
    """Each door that changes something documents 412; what has no ETag refuses all of them, after a wrong token."""
    paths = json.loads((root / "docs/openapi.json").read_text("utf-8"))["paths"]
    doors = {(method, path) for path, operations in paths.items() for method in operations if method != "get"}
    assert all("412" in paths[path][method]["responses"] for method, path in doors)
    looked_at = {
        (method, path)
        for method, path in doors
        if any(each["name"] == "If-Match" for each in paths[path][method].get("parameters", ()))
    }
    assert looked_at == {
        (method, path) for method, path in doors if method != "post" and "get" in paths[path]
    }
    assert len(looked_at) == len(CHANGES)
    headers = lite.token(Role.ADMIN)
    for method, path in doors - looked_at:
        assert _call(lite, method.upper(), path, headers, ["*"]).json()["code"] == "precondition", path
        assert _call(lite, method.upper(), path, {"Authorization": "Bearer wf_no"}, ["*"]).status_code == 401
