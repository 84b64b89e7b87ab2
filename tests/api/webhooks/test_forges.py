"""What each forge's messages become: one event each, or a word why none."""

import json

import pytest

from farm_scheduler.projects import find_project
from farm_scheduler.tables import Run

from .conftest import deliveries, events, standard

SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
GITLAB = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7"
GITEA = "bffeb74224043ba2feb48d137756c8a9331c449a"
OTHER = "709d658dc5b6d6afcd46049c2f332ee3f515a67d"
HELLO = "git+https://github.com/Codertocat/Hello-World.git"
DIASPORA = "git+http://example.com/mike/diaspora.git"
REPO_NAME = "git+https://bitbucket.org/team_name/repo_name.git"
PULLED = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"


@pytest.mark.parametrize(
    ("forge", "payload", "kind", "expected"),
    [
        ("github", "github-push-branch", "push", ("push", "master", SHA, HELLO)),
        ("github", "github-push-tag", "push", ("tag", "simple-tag", SHA, HELLO)),
        ("github", "github-create-tag", "create", ("tag", "simple-tag", None, HELLO)),
        (
            "github",
            "github-pull-request-synchronize",
            "pull_request",
            ("pull-request", "pull/2", PULLED, HELLO),
        ),
        ("github", "github-release-published", "release", ("release", "0.0.1", None, HELLO)),
        ("gitlab", "gitlab-push", "Push Hook", ("push", "master", GITLAB, DIASPORA)),
        ("gitlab", "gitlab-tag-push", "Tag Push Hook", ("tag", "v1.0.0", GITLAB, DIASPORA)),
        (
            "gitlab",
            "gitlab-merge-request-open",
            "Merge Request Hook",
            ("pull-request", "pull/1", GITLAB, DIASPORA),
        ),
        (
            "gitlab",
            "gitlab-release",
            "Release Hook",
            ("release", "v1.1", "ee0a3fb31ac16e11b9dbb596ad16d4af654d08f8", DIASPORA),
        ),
        ("gitea", "gitea-push", "push", ("push", "develop", GITEA, "git+http://localhost:3000/gitea/webhooks.git")),
        ("forgejo", "gitea-push", "push", ("push", "develop", GITEA, "git+http://localhost:3000/gitea/webhooks")),
        (
            "forgejo",
            "gitea-pull-request",
            "pull_request_sync",
            ("pull-request", "pull/1", GITEA, "git+http://localhost:3000/gitea/webhooks"),
        ),
        (
            "bitbucket",
            "bitbucket-pull-request",
            "pullrequest:updated",
            ("pull-request", "pull/1", "d3022fc0ca3d", "git+https://bitbucket.org/somebody/repo_name"),
        ),
        ("pagure", "pagure-receive", "", ("push", "main", OTHER, "git+https://pagure.io/demo.git")),
        ("pagure", "pagure-tag", "", ("tag", "v1", None, "git+https://pagure.io/demo.git")),
        (
            "pagure",
            "pagure-pull-request",
            "",
            ("pull-request", "pull/7", OTHER, "git+https://pagure.io/forks/somebody/demo.git"),
        ),
    ],
)  # fmt: skip
def test_a_message_becomes_one_event(doors, record, forge, payload, kind, expected):
    """Trigger, ref, commit and source are read from where the forge has them, and the answer names the event."""
    answer = doors.send(forge, payload, kind)
    assert answer.status_code == 202
    (event,) = events(record)
    assert (event.trigger, event.ref, event.revision, event.target) == expected
    assert answer.json()["outcome"] == "recorded"
    assert answer.json()["events"] == [event.id]


def test_a_rerequested_check_asks_anew(doors, record):
    """Who asks for a check again gets another run of the same commit, as a person who waits for it."""
    assert doors.send("github", "github-check-suite-rerequested", "check_suite").status_code == 202
    (event,) = events(record)
    assert (event.trigger, event.again, event.revision) == (
        "person",
        True,
        "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
    )


def test_a_rerequested_check_run_is_that_of_its_run(doors, record):
    """The check run of a run leads to another run of the same ref; those of others lead to nothing."""
    payload = json.loads(doors_payload("github-check-run-rerequested"))
    sha, own = payload["check_run"]["head_sha"], "https://github.com/Codertocat/Hello-World.git"
    payload["repository"]["clone_url"] = own
    project = project_of(record, "demo-github")
    other = project_of(record, "demo-gitea")
    with record.write() as session:
        for run_id, whose, revision in (
            ("r-ours", project, sha),
            ("r-else", other, sha),
            ("r-old", project, SHA),
        ):
            run = Run(id=run_id, target="x", project="x", source_sha256="0", project_id=whose)
            run.ref, run.revision = "pull/7", revision
            session.add(run)
    for number, run_id in enumerate(["", "r-none", "r-else", "r-old", "r-ours"]):
        payload["check_run"]["external_id"] = run_id
        answer = doors.send("github", payload, "check_run", delivery=f"d-{number}")
        assert answer.status_code == 202
    (event,) = events(record)
    assert (event.trigger, event.again, event.ref, event.revision) == ("person", True, "pull/7", sha)
    assert "the farm has no such run" in " ".join(each.reason or "" for each in deliveries(record))


def project_of(record, name):
    """The id of a project."""
    with record.read() as session:
        return find_project(session, name).id


def test_a_push_of_several_refs_is_several_events(doors, record):
    """Of a branch, a tag and a deleted branch in one delivery, two are events."""
    answer = doors.send("bitbucket", "bitbucket-push", "repo:push")
    assert len(answer.json()["events"]) == 2
    assert [(event.trigger, event.ref, event.target) for event in events(record)] == [
        ("push", "name-of-branch", REPO_NAME),
        ("tag", "v2", REPO_NAME),
    ]


@pytest.mark.parametrize(
    ("forge", "payload", "kind", "reason"),
    [
        ("github", "github-push-deleted", "push", "was deleted"),
        ("github", "github-pull-request-closed", "pull_request", "closed brings no new commit"),
        ("github", "github-release-edited", "release", "edited is none that is published"),
        ("github", "github-push-branch", "sponsorship", "nothing follows from sponsorship"),
        ("github", "github-push-branch", "", "an event without a name"),
        ("gitlab", "gitlab-push-deleted", "Push Hook", "was deleted"),
        ("gitlab", "gitlab-merge-request-update-label", "Merge Request Hook", "update brings no new commit"),
        ("bitbucket", "bitbucket-push-deleted", "repo:push", "every ref of it was deleted"),
        ("bitbucket", "bitbucket-push", "repo:fork", "nothing follows from repo:fork"),
    ],
)
def test_what_asks_for_nothing_is_taken_with_a_word(doors, record, forge, payload, kind, reason):
    """An unknown event, a deleted ref or a closed pull request is accepted, recorded and told why nothing follows."""
    answer = doors.send(forge, payload, kind)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "ignored")
    assert reason in answer.json()["reason"]
    assert events(record) == []
    (delivery,) = deliveries(record)
    assert delivery.reason == answer.json()["reason"]


def test_a_release_is_relayed(doors, record):
    """A relay's release is an event of that version, whatever the spelling of the name."""
    body = {"type": "release", "project": "Demo_PyPI", "version": "1.0.0rc01"}
    assert doors.send("pypi", body).status_code == 202
    (event,) = events(record)
    assert (event.target, event.trigger) == ("demo-pypi==1.0.0rc1", "release")


def test_gitlab_signs_in_the_new_way(doors, record, secrets):
    """With a signature after Standard Webhooks no token is needed, and a wrong one is not saved by a token."""
    body = doors_payload("gitlab-push")
    headers = standard(body, secrets["gitlab"], "msg_1", now())
    assert doors.client.post("/webhooks/gitlab", content=body, headers=headers).status_code == 202
    headers["webhook-signature"] = "v1,AAAA"
    headers["X-Gitlab-Token"] = secrets["gitlab"]
    assert doors.client.post("/webhooks/gitlab", content=body, headers=headers).status_code == 403
    assert len(events(record)) == 1


def doors_payload(name):
    """The bytes of a payload."""
    from .conftest import PAYLOADS

    return (PAYLOADS / f"{name}.json").read_bytes()


def now():
    """The time in whole seconds."""
    import time

    return str(int(time.time()))
