"""What the doors refuse, and what they never do twice."""

import concurrent.futures
import socket
import time

import pytest
from sqlmodel import select

from farm_scheduler.deliveries import told_id
from farm_scheduler.event_tables import Event, EventState, ProjectSecret
from farm_scheduler.events import PUBLISH_AGAIN, due_events
from farm_scheduler.project_secrets import add_secret, drop_old_secret
from farm_scheduler.projects import add_project, find_project
from farm_scheduler.secret_box import secret_box
from farm_scheduler.tables import now

from .conftest import PAYLOADS, REPOSITORIES, Doors, deliveries, events, served, signed

PUSH = (PAYLOADS / "github-push-branch.json").read_bytes()


def refused(answer, status, code):
    """Whether it is this problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (status, code, status)
    return True


@pytest.mark.parametrize("forge", REPOSITORIES)
def test_an_unsigned_message_is_refused(doors, record, forge):
    """Without a header that proves anything the answer is 401, at every door."""
    assert refused(doors.client.post(f"/webhooks/{forge}", content=PUSH), 401, "webhook-unsigned")
    assert deliveries(record) == []


@pytest.mark.parametrize(
    ("forge", "payload"),
    [
        ("github", "github-push-branch"),
        ("gitlab", "gitlab-push"),
        ("gitea", "gitea-push"),
        ("forgejo", "gitea-push"),
        ("bitbucket", "bitbucket-push"),
        ("pagure", "pagure-receive"),
        ("pypi", {"type": "release", "project": "demo-pypi", "version": "1"}),
    ],
)
def test_a_wrong_signature_is_refused(doors, record, forge, payload):
    """A signature under another secret, or of another body, is 403, and nothing is recorded."""
    wrong = "whsec_" + "A" * 44
    assert refused(doors.send(forge, payload, "push", secret=wrong), 403, "webhook-signature")
    assert deliveries(record) == []


def test_an_unknown_project_looks_like_a_wrong_signature(doors):
    """Nobody learns from the answer which projects there are."""
    known = doors.send("github", "github-push-branch", "push", secret="x" * 20).json()
    other = PUSH.replace(b"Codertocat/Hello-World", b"somebody/else")
    assert doors.send("github", other, "push").json() == known


def test_a_changed_body_is_refused(doors, record):
    """One changed byte of a signed body is enough."""
    headers = signed("github", PUSH, doors.secrets["github"], "push", "d-1")
    changed = PUSH.replace(b"refs/heads/master", b"refs/heads/evil55")
    assert refused(
        doors.client.post("/webhooks/github", content=changed, headers=headers), 403, "webhook-signature"
    )
    assert events(record) == []


def test_a_large_body_is_refused_early(doors):
    """25 MB are refused by what the header says, and without it as soon as the limit is reached."""
    large = b"x" * 25_000_000
    headers = {"X-Hub-Signature-256": "sha256=0", "Connection": "close"}
    assert refused(
        doors.client.post("/webhooks/github", content=large, headers=headers), 413, "body-too-large"
    )

    def pieces():
        for _ in range(25):
            yield b"x" * 10_000

    assert refused(
        doors.client.post("/webhooks/github", content=pieces(), headers=headers), 413, "body-too-large"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b"[" * 50_000,
        b"payload=%7B%7D",
        b'{"repository": 1}',
        b'{"repository": {"clone_url": 5}}',
        b'{"repository": {"clone_url": "https://[x"}}',
        b'{"repository": {"clone_url": "a b"}}',
    ],
)
def test_a_body_that_is_no_message_is_refused(doors, body):
    """Anything that is no JSON object with a repository is 400, and one sentence."""
    assert refused(doors.send("github", body, "push"), 400, "body")


@pytest.mark.parametrize(
    "change",
    [
        (b'"refs/heads/master"', b"null"),
        (b'"after": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"', b'"after": "--upload-pack=x"'),
        (b'"id": "6113728f27ae82c7b1a177c8d03f9e96e0adf246"', b'"id": "HEAD"'),
    ],
)
def test_a_signed_message_with_nonsense_is_refused(doors, record, change):
    """A ref that is none, or a commit that is an option, is 400 and no event."""
    answer = doors.send(
        "github", PUSH.replace(*change).replace(b'"head_commit": {', b'"head_commit": {'), "push"
    )
    if answer.status_code == 202:  # the head commit speaks where `after` does not
        assert all(event.revision == "6113728f27ae82c7b1a177c8d03f9e96e0adf246" for event in events(record))
    else:
        assert refused(answer, 400, "body")
        assert events(record) == []


@pytest.mark.parametrize("delivery", ["", "x" * 181, "a b"])
def test_a_delivery_without_an_id_is_refused(doors, delivery):
    """What cannot be told from its redelivery is not taken."""
    assert refused(doors.send("github", "github-push-branch", "push", delivery=delivery), 400, "body")


def test_a_redelivery_does_nothing(doors, record):
    """The same delivery again is 200 and changes nothing, whether it has the same id or the same signed body."""
    first = doors.send("github", "github-push-branch", "push")
    again = doors.send("github", "github-push-branch", "push")
    assert (first.status_code, again.status_code) == (202, 200)
    assert (again.json()["outcome"], again.json()["events"]) == ("known", [])
    assert len(events(record)) == 1
    replay = doors.send("github", "github-push-branch", "push", delivery="d-2")
    assert (replay.status_code, replay.json()["outcome"], replay.json()["delivery"]) == (200, "known", "d-2")
    assert len(events(record)) == 1


@pytest.mark.parametrize(
    ("forge", "payload", "kind"),
    [
        ("github", "github-check-suite-rerequested", "check_suite"),
        ("gitea", "gitea-push", "push"),
        ("forgejo", "gitea-push", "push"),
        ("bitbucket", "bitbucket-push", "repo:push"),
    ],
)
def test_a_signed_body_is_taken_once(doors, record, forge, payload, kind):
    """Where the id is not signed a replay may have any: it asks for nothing, unless all that came of it has failed."""
    assert doors.send(forge, payload, kind, "d-1").status_code == 202
    before = len(events(record))
    assert doors.send(forge, payload, kind, "d-2").status_code == 200
    with record.write() as session:
        for event in session.exec(select(Event)):
            event.state = EventState.FAILED
    assert doors.send(forge, payload, kind, "d-3").status_code == 202
    assert doors.send(forge, payload, kind, "d-4").status_code == 200
    assert len(events(record)) == 2 * before


def test_a_push_back_and_forth_is_no_replay(doors, record):
    """The same commit again, after another one, is another body: what was there before differs."""
    back = PUSH.replace(b'"before": "', b'"before": "ab', 1)
    assert doors.send("github", PUSH, "push", "d-1").status_code == 202
    assert doors.send("github", back, "push", "d-2").status_code == 202
    assert len({event.revision for event in events(record)}) == 1


def test_a_forge_that_signs_the_id_may_say_the_same_again(doors, record):
    """A relay's bodies are alike by nature, and GitLab's token is no signature: another id is another delivery."""
    body = {"type": "release", "project": "demo-pypi", "version": "1"}
    for number in "12":
        assert doors.send("pypi", body, delivery=number).status_code == 202
        assert doors.send("gitlab", "gitlab-push", "Push Hook", number).status_code == 202
    assert len(events(record)) == 4


def test_ids_of_deliveries_are_those_of_a_project(doors, record, settings):
    """Two relays that both count from 1 lose nothing; the answers have the ids as they were sent."""
    with record.write() as session:
        project = add_project(session, "other", None, None)
        secret = add_secret(session, secret_box(settings), project.id)
    release = {"type": "release", "project": "demo-pypi", "version": "1"}
    for body, given in ((release, None), (release | {"project": "other"}, secret)):
        first = doors.send("pypi", body, delivery="1", secret=given)
        again = doors.send("pypi", body, delivery="1", secret=given)
        assert (first.status_code, again.status_code, first.json()["delivery"]) == (202, 200, "1")
    assert {told_id(row) for row in [*deliveries(record), *events(record)]} == {"1"}
    assert len(events(record)) == 2


def test_redeliveries_at_once_are_one_event(doors, record):
    """Sixteen of the same at once: one is recorded, the others were before."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(doors.send, "github", "github-push-branch", "push") for _ in range(16)]
        codes = sorted(each.result().status_code for each in sent)
    assert codes == [200] * 15 + [202]
    assert len(events(record)) == 1


def test_two_secrets_are_valid_at_once(doors, record, settings):
    """After a change both secrets sign; after the next, or when the old is dropped, only the newer ones."""
    box, old = secret_box(settings), doors.secrets["github"]

    def change():
        with record.write() as session:
            return add_secret(session, box, find_project(session, "demo-github").id)

    def send(number, secret):
        body = PUSH.replace(b'"before": "', f'"before": "{number}'.encode(), 1)
        return doors.send("github", body, "push", f"d-{number}", secret=secret).status_code

    new = change()
    assert send(1, old) == 202
    assert send(2, new) == 202
    newest = change()
    assert send(3, old) == 403
    assert send(4, new) == 202
    with record.write() as session:
        assert drop_old_secret(session, find_project(session, "demo-github").id)
    assert send(5, new) == 403
    assert send(6, newest) == 202


def test_no_secret_is_in_the_record(doors, settings, record):
    """What the record holds of a secret cannot be read without the farm's key."""
    with record.read() as session:
        sealed = [row.sealed for row in session.exec(select(ProjectSecret))]
    assert len(sealed) == len(REPOSITORIES)
    assert not any(secret in text for secret in doors.secrets.values() for text in sealed)
    assert (settings.home / "secret.key").stat().st_mode & 0o777 == 0o600


def test_the_doors_are_documented(doors):
    """Each says which headers and body it takes, what it answers, and its problems as problem+json."""
    document = doors.client.get("/openapi.json").json()
    for forge in REPOSITORIES:
        door = document["paths"][f"/webhooks/{forge}"]["post"]
        assert any("signature" in each["name"].lower() for each in door["parameters"])
        assert door["requestBody"]["required"]
        answers = door["responses"]
        assert set(answers) == {"200", "202", "400", "401", "403", "413", "500", "503"}
        for status, answer in answers.items():
            kind = "json" if status < "300" else "problem+json"
            assert set(answer["content"]) == {f"application/{kind}"}


def test_a_dead_engine_holds_up_no_answer(settings, secrets, record, tmp_path):
    """Without Redis a delivery is recorded and answered at once; the sweep finds its event later."""
    dead = settings.model_copy(update={"redis_url": f"redis+socket://{tmp_path}/no.sock"})
    with served(dead) as client:
        began = time.monotonic()
        assert Doors(client, secrets).send("github", "github-push-branch", "push").status_code == 202
        assert time.monotonic() - began < 2
    assert [event.state for event in events(record)] == ["waiting"]
    assert due_events(record) == []
    with record.write() as session:
        session.exec(select(Event)).one().published = now() - 2 * PUBLISH_AGAIN
    assert due_events(record) == [events(record)[0].id]
    assert due_events(record) == []


def test_a_sender_that_goes_away_is_nobodys_fault(doors, caplog):
    """A connection that ends amid its body leaves no traceback, and the door goes on."""
    url = doors.client.base_url
    with socket.create_connection((url.host, url.port), timeout=10) as half:
        head = "POST /webhooks/github HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
        half.sendall(head.encode())
    assert doors.send("github", "github-ping", "ping").status_code == 403
    assert doors.send("github", "github-push-branch", "push").status_code == 202
    assert "Traceback" not in caplog.text


def test_other_methods_are_refused(doors):
    """A door takes POST alone, and there is none for a forge that nobody knows."""
    assert doors.client.get("/webhooks/github").status_code in {404, 405}
    assert doors.client.post("/webhooks/sourcehut", content=b"{}").status_code in {404, 405}
