"""Starting runs, uploading, and doing things once, over REST."""

import gzip
import hashlib
import io
import tarfile
from datetime import timedelta

import pytest
from sqlmodel import select

from farm_scheduler import submissions
from farm_scheduler.access_tables import ArchiveKind, KeptAnswer, Submission, SubmissionState, Upload
from farm_scheduler.engine import celery_app
from farm_scheduler.errors import NoRoomError
from farm_scheduler.projects import address_of
from farm_scheduler.roles import Role
from farm_scheduler.sources import get_uploaded
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.uploads import KEPT_FOR, LARGEST_PIECE, drop_old

PIECE = "application/octet-stream"


def _archive(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"source/{name.replace('__', '.')}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


PROJECT = _archive(
    pyproject__toml='[project]\nname = "demo"\nversion = "1"\n', test_a__py="def test_a(): pass\n"
)


def _announce(door, headers, content=PROJECT, **changes):
    wish = {
        "name": "demo",
        "kind": "folder",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return door.post("/uploads", {**wish, **changes}, headers)


def _send(door, headers, upload, offset, piece):
    headers = {**headers, "Upload-Offset": str(offset), "Content-Type": PIECE}
    return door.client.patch(f"/api/v1/uploads/{upload}", content=piece, headers=headers)


def _work(door, submission):
    """What a worker does with it."""
    submissions.carry_out(door.database, celery_app(door.settings), door.settings, submission)


def _no_room(*_given):
    raise NoRoomError("the disk is full")


def test_the_same_request_is_carried_out_once(door):
    """With one key a POST gives one answer and makes one thing; another body with it is refused."""
    headers = {**door.token(Role.SUBMITTER), "Idempotency-Key": "one"}
    first = door.post("/runs", {"target": "six==1.17.0"}, headers)
    again = door.post("/runs", {"target": "six==1.17.0"}, headers)
    assert (first.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert door.post("/runs", {"target": "attrs"}, headers).json()["code"] == "idempotency"
    assert door.post("/runs", {"target": "attrs"}, headers).status_code == 422
    other = {**door.token(Role.SUBMITTER), "Idempotency-Key": "one"}
    assert door.post("/runs", {"target": "attrs"}, other).status_code == 202
    with door.database.read() as session:
        assert len(session.exec(select(Submission)).all()) == 2


def test_a_token_has_so_many_wishes_open(door):
    """Beyond them it is told to wait, and others are not; what was fetched or asked for before counts for nothing."""
    headers = door.token(Role.SUBMITTER)
    first = door.post("/runs", {"target": "six"}, headers).json()["id"]
    with door.database.write() as session:
        actor = session.get_one(Submission, first).actor
        session.add_all(
            Submission(id=f"r-{number}", actor=actor, target="six")
            for number in range(1, submissions.MOST_OPEN)
        )
    refused = door.post("/runs", {"target": "six"}, headers)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    assert refused.json()["code"] == "too-busy"
    assert door.post("/runs", {"target": "six"}, door.token(Role.SUBMITTER)).status_code == 202
    with door.database.write() as session:
        session.get_one(Submission, "r-1").state = SubmissionState.ACCEPTED
    assert door.post("/runs", {"target": "six"}, headers).status_code == 202


def test_a_key_whose_process_died_doubles_nothing(door):
    """A request that is being carried out is 409; after a minute it is carried out again, with the same id."""
    headers = {**door.token(Role.SUBMITTER), "Idempotency-Key": "two"}
    first = door.post("/runs", {"target": "six"}, headers).json()["id"]
    with door.database.write() as session:
        kept = session.exec(select(KeptAnswer)).one()
        kept.status, kept.body = None, first
    busy = door.post("/runs", {"target": "six"}, headers)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "1")
    with door.database.write() as session:
        session.exec(select(KeptAnswer)).one().begun = now() - KEPT_FOR / 24
    assert door.post("/runs", {"target": "six"}, headers).json()["id"] == first


def test_a_key_chooses_no_run(door):
    """The id of a run follows from nothing that its caller knows; after a day a key is a new one."""
    headers = {**door.token(Role.SUBMITTER), "Idempotency-Key": "four"}
    first = door.post("/runs", {"target": "six"}, headers).json()["id"]
    with door.database.write() as session:
        session.exec(select(KeptAnswer)).one().begun = now() - timedelta(days=1, minutes=1)
    second = door.post("/runs", {"target": "attrs"}, headers)
    assert second.status_code == 202
    assert "idempotency-replayed" not in second.headers
    assert (second.json()["id"] != first, second.json()["target"]) == (True, "attrs")


def test_a_request_that_failed_here_is_made_again_under_its_id(door, monkeypatch):
    """After an answer of 500 or above the key is not spent, and what was recorded already is found."""
    headers = {**door.token(Role.SUBMITTER), "Idempotency-Key": "five"}
    with monkeypatch.context() as patched:
        patched.setattr("farm_api.v1.runs._publish", _no_room)
        assert door.post("/runs", {"target": "six"}, headers).status_code == 507
    assert door.post("/runs", {"target": "six"}, headers).status_code == 202
    with door.database.read() as session:
        assert len(session.exec(select(Submission)).all()) == 1
    free = {**headers, "Idempotency-Key": "six"}
    assert door.post("/runs", {"target": "./folder"}, free).status_code == 400
    assert door.post("/runs", {"target": "six"}, free).status_code == 202


def test_a_secret_is_not_kept_for_a_repetition(door):
    """A repeated wish for a token makes no second one, and tells no secret."""
    headers = {**door.token(Role.ADMIN), "Idempotency-Key": "three"}
    wish = {"name": "ci", "role": "reader"}
    secret = door.post("/tokens", wish, headers).json()["secret"]
    assert door.post("/tokens", wish, headers).status_code == 409
    with door.database.read() as session:
        assert secret not in str(session.exec(select(KeptAnswer)).one())


@pytest.mark.parametrize(
    "target",
    [
        "./folder", "/etc/passwd", "~/x", "demo.tar.gz", "git+file:///srv/x", "git+ext::sh -c true", "git+https://127.0.0.1/x",
        "git+https://[::1]/x", "git+https://localhost/x", "git+https://intranet/x", "git+https://10.0.0.1/x",
        "git+https://0x7f.1/x", "git+https://db.internal/x", "git+https://u:p@host.org/x", "git+https://h.org/x@--upload-pack=x",
        "git+http://h.org/x", "x; drop table run", "git+https://[a.com/x", "git+https://a]b/x", "git+https://h.org:x/y",
        "git+https://h.org:99999/y",
    ],
)  # fmt: skip
def test_what_may_not_be_named_is_refused(lite, target):
    """Paths of the farm's host, inner addresses and tricks with git are refused at the door."""
    answer = lite.post("/runs", {"target": target}, lite.token(Role.SUBMITTER))
    assert (answer.status_code, answer.json()["code"]) == (400, "target")


def test_a_folder_is_uploaded_and_run(door):
    """It comes in pieces, goes on where it was, and a worker checks it and makes the run, of the token's project."""
    with door.database.write() as session:
        session.add(Project(id="p-demo", name="demo"))
    headers = door.token(Role.SUBMITTER, project="demo")
    upload = _announce(door, headers).json()["id"]
    half = len(PROJECT) // 2
    assert _send(door, headers, upload, 0, PROJECT[:half]).json()["received"] == half
    assert _send(door, headers, upload, 0, PROJECT[:half]).json()["received"] == half
    gap = _send(door, headers, upload, half + 1, PROJECT[half:])
    assert (gap.status_code, gap.json()["data"]["received"]) == (409, half)
    early = door.post("/runs", {"target": "./demo", "upload": upload}, headers)
    assert (early.status_code, early.json()["code"]) == (400, "upload")
    assert _send(door, headers, upload, half, PROJECT[half:]).json()["state"] == "complete"
    wish = {"target": "./demo", "upload": upload, "pythons": ["3.12"], "priority": -2}
    run = door.post("/runs", wish, headers).json()["id"]
    assert door.get(f"/runs/{run}").status_code == 404
    _work(door, run)
    _work(door, run)
    assert door.get(f"/submissions/{run}").json()["state"] == "accepted"
    found = door.get(f"/runs/{run}").json()
    assert (found["project"], found["version"], found["target"]) == ("demo", "1", "./demo")
    assert (found["trigger"], found["priority"]) == ("person", -2)
    with door.database.read() as session:
        assert session.get(Run, run).project_id == "p-demo"
    assert [cell["python"] for cell in door.get(f"/runs/{run}/cells").json()["items"]] == ["3.12"]
    assert list(door.settings.uploads.iterdir()) == []


def test_a_bad_archive_is_refused_by_the_worker(door):
    """A bomb, a link that leaves, no project or other bytes than announced: refused with the reason, and no run."""
    headers = door.token(Role.SUBMITTER)
    bad = [_archive(readme="x"), b"\x1f\x8b" + b"x" * 100, gzip.compress(b"\0" * (1 << 20))]
    for content in bad:
        upload = _announce(door, headers, content).json()["id"]
        _send(door, headers, upload, 0, content)
        run = door.post("/runs", {"target": "./demo", "upload": upload}, headers).json()["id"]
        _work(door, run)
        told = door.get(f"/submissions/{run}").json()
        assert (told["state"], told["code"]) == ("refused", "source")
    upload = _announce(door, headers, sha256="0" * 64).json()["id"]
    _send(door, headers, upload, 0, PROJECT)
    run = door.post("/runs", {"target": "./demo", "upload": upload}, headers).json()["id"]
    _work(door, run)
    assert "SHA-256" in door.get(f"/submissions/{run}").json()["reason"]
    with door.database.read() as session:
        assert session.get(Run, run) is None


def test_a_scoped_submitter_cannot_submit_another_project(door):
    """What the source says it is decides, not what the caller calls it."""
    headers = door.token(Role.SUBMITTER, project="six")
    assert door.post("/runs", {"target": "attrs"}, headers).status_code == 403
    upload = _announce(door, headers, name="six").json()["id"]
    _send(door, headers, upload, 0, PROJECT)
    run = door.post("/runs", {"target": "six", "upload": upload}, headers).json()["id"]
    _work(door, run)
    assert door.get(f"/submissions/{run}", headers).json()["code"] == "access"


def test_a_scoped_submitter_submits_its_repository_by_any_name(door, monkeypatch, tmp_path):
    """The source of the project's own repository may say another name than the farm has for it."""
    url = "https://github.com/me/Demo.git"
    with door.database.write() as session:
        session.add(Project(id="p-local234", name="local", repository=url, address=address_of(url)))
    headers = door.token(Role.SUBMITTER, project="local")
    (tmp_path / "demo.tar.gz").write_bytes(PROJECT)
    found = get_uploaded(tmp_path / "demo.tar.gz", ArchiveKind.FOLDER, "demo", door.settings)
    monkeypatch.setattr(submissions, "get_source", lambda *_given: found)
    for path, state in (("me/demo", "accepted"), ("you/demo", "refused")):
        run = door.post("/runs", {"target": f"git+https://github.com/{path}"}, headers).json()["id"]
        _work(door, run)
        assert door.get(f"/submissions/{run}", headers).json()["state"] == state


def test_a_refusal_is_seen_at_once(lite):
    """Too large, no archive, too many open: with the announcement or the first piece."""
    headers = lite.token(Role.SUBMITTER)
    assert _announce(lite, headers, bytes=lite.settings.source_bytes + 1).status_code == 413
    upload = _announce(lite, headers).json()["id"]
    assert _send(lite, headers, upload, 0, b"GIF89a").json()["code"] == "upload"
    over = _send(lite, headers, upload, 0, PROJECT + b"more")
    assert over.status_code == 400
    assert _send(lite, headers, upload, 0, b"x" * (LARGEST_PIECE + 1)).status_code == 413
    codes = [_announce(lite, headers).status_code for _ in range(16)]
    assert codes == [201] * 15 + [400]
    assert _announce(lite, lite.token(Role.READER)).status_code == 403


def test_uploads_are_private_and_forgotten(door):
    """Nobody else sees an upload; it can be deleted, and is dropped when nobody goes on with it."""
    headers = door.token(Role.SUBMITTER)
    upload = _announce(door, headers).json()["id"]
    _send(door, headers, upload, 0, PROJECT)
    assert door.get(f"/uploads/{upload}", door.token(Role.SUBMITTER)).status_code == 404
    with door.database.write() as session:
        session.get(Upload, upload).updated = now() - 2 * KEPT_FOR
    drop_old(door.database, door.settings)
    assert door.get(f"/uploads/{upload}", headers).status_code == 404
    assert list(door.settings.uploads.iterdir()) == []
    again = _announce(door, headers).json()["id"]
    assert door.client.delete(f"/api/v1/uploads/{again}", headers=headers).status_code == 204


def test_a_large_body_is_refused_unread(lite):
    """25 MB where a small document is wanted are 413, announced or not."""
    headers = {**lite.token(Role.SUBMITTER), "Content-Type": "application/json"}
    assert lite.client.post("/api/v1/runs", content=b"x" * 25_000_000, headers=headers).status_code == 413
    pieces = (b"x" * 10_000 for _ in range(100))
    assert lite.client.post("/api/v1/runs", content=pieces, headers=headers).status_code == 413
    assert lite.client.post("/api/v1/runs", content=b"{", headers=headers).status_code == 422


def test_a_lost_message_is_sent_again(door, monkeypatch):
    """What waits is published by the sweep, and what a dead worker had waits again."""
    sent = []
    monkeypatch.setattr(submissions, "publish_submission", lambda _app, wanted: sent.append(wanted))
    run = door.post("/runs", {"target": "six"}, door.token(Role.SUBMITTER)).json()["id"]
    submissions.publish_waiting(door.database, None)
    assert sent == []
    with door.database.write() as session:
        row = session.get(Submission, run)
        row.state, row.lease_expires = "fetching", now()
    submissions.publish_waiting(door.database, None)
    assert sent == [run]


def test_a_wish_is_withdrawn(door):
    """What waits for a worker is cancelled by its own caller only, and a worker then makes no run of it."""
    headers = door.token(Role.SUBMITTER)
    run = door.post("/runs", {"target": "six"}, headers).json()["id"]
    assert door.post(f"/runs/{run}/cancel", None, door.token(Role.SUBMITTER)).status_code == 403
    assert door.get(f"/submissions/{run}").json()["state"] == "waiting"
    assert door.post(f"/runs/{run}/cancel", None, headers).json()["state"] == "cancelled"
    _work(door, run)
    assert door.get(f"/submissions/{run}").json()["code"] == "withdrawn"
    assert door.get(f"/runs/{run}").status_code == 404
