"""What real servers send in shapes that no documentation shows: older fields, empty lists, short commits.

The payloads are made up here and hold only what the doors read and what is odd about them; none is a recording.
"""

import pytest

from .conftest import REPOSITORIES, deliveries, events

COMMIT = "5c1d0e2f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
TAG = "e7d6c5b4a3f2e1d0c9b8a7f6e5d4c3b2a1f0e9d8"
NONE = "0" * 40
PAGE = REPOSITORIES["bitbucket"].removesuffix(".git")


def gitea(**fields):
    """A payload of Gitea or Forgejo; older ones put the webhook's secret into it."""
    return {"secret": "made-up", "repository": {"clone_url": REPOSITORIES["gitea"]}, **fields}


def gitea_pull(action):
    """A pull request there."""
    return gitea(action=action, number=4, pull_request={"head": {"sha": COMMIT}})


def gitlab(kind, **fields):
    """A payload of GitLab."""
    return {"object_kind": kind, "project": {"git_http_url": REPOSITORIES["gitlab"]}, **fields}


def merge_request(action, **fields):
    """A merge request there."""
    return gitlab(
        "merge_request",
        object_attributes={"action": action, "iid": 3, "last_commit": {"id": COMMIT}, **fields},
    )


def bitbucket(**fields):
    """A payload of Bitbucket."""
    return {"repository": place(), **fields}


def place():
    """Its repository."""
    return {"full_name": "team_name/repo_name", "links": {"html": {"href": PAGE}}}


def bitbucket_pull():
    """A pull request from a branch of the repository itself, whose commit is cut short."""
    source = {"repository": place(), "commit": {"hash": COMMIT[:12]}}
    return bitbucket(pullrequest={"id": 2, "source": source})


PUSHES = {
    "without a head": gitea(ref="refs/heads/d", before=COMMIT, after=COMMIT, head_commit=None),
    "of a new branch": gitea(
        ref="refs/heads/d", before=NONE, after=COMMIT, commits=[], head_commit={"id": COMMIT}
    ),
}


@pytest.mark.parametrize(
    ("forge", "payload", "kind", "expected"),
    [
        ("gitea", PUSHES["without a head"], "push", ("push", "d", COMMIT)),
        ("forgejo", PUSHES["of a new branch"], "push", ("push", "d", COMMIT)),
        ("gitea", gitea_pull("opened"), "pull_request", ("pull-request", "pull/4", COMMIT)),
        ("gitea", gitea_pull("synchronized"), "pull_request", ("pull-request", "pull/4", COMMIT)),
        ("forgejo", gitea_pull("reopened"), "pull_request", ("pull-request", "pull/4", COMMIT)),
        ("gitea", gitea(ref="v1", ref_type="tag", sha=TAG), "create", ("tag", "v1", None)),
        (
            "gitea",
            gitea(action="published", release={"tag_name": "0.1"}),
            "release",
            ("release", "0.1", None),
        ),
        (
            "gitlab",
            gitlab("tag_push", ref="refs/tags/v2", after=TAG, checkout_sha=COMMIT),
            "Tag Push Hook",
            ("tag", "v2", COMMIT),
        ),
        (
            "gitlab",
            merge_request("update", oldrev=TAG),
            "Merge Request Hook",
            ("pull-request", "pull/3", COMMIT),
        ),
        ("bitbucket", bitbucket_pull(), "pullrequest:created", ("pull-request", "pull/2", COMMIT[:12])),
    ],
)
def test_an_odd_shape_becomes_its_event(doors, record, forge, payload, kind, expected):
    """What a server leaves empty, cuts short or sends besides does not change trigger, ref, commit or source."""
    assert doors.send(forge, payload, kind).json()["outcome"] == "recorded"
    (event,) = events(record)
    assert (event.trigger, event.ref, event.revision) == expected
    assert event.target == f"git+{REPOSITORIES[forge]}"


@pytest.mark.parametrize(
    ("forge", "payload", "kind", "reason"),
    [
        ("gitea", gitea_pull("closed"), "pull_request", "closed brings no new commit"),
        ("gitea", gitea_pull("label_updated"), "pull_request", "label_updated brings no new commit"),
        ("gitea", gitea(ref="d", ref_type="branch", sha=COMMIT), "create", "comes by itself"),
        ("forgejo", gitea(ref="d", ref_type="branch"), "delete", "nothing follows from delete"),
        ("gitlab", merge_request("close"), "Merge Request Hook", "close brings no new commit"),
        ("bitbucket", bitbucket(push={"changes": []}), "repo:push", "the push names no branch or tag"),
        (
            "bitbucket",
            bitbucket_pull(),
            "pullrequest:rejected",
            "nothing follows from pullrequest:rejected",
        ),
    ],
)
def test_an_odd_shape_that_asks_for_nothing_is_told_why(doors, record, forge, payload, kind, reason):
    """A closed or labelled pull request, a branch's own message or an empty push is ignored with its true reason."""
    answer = doors.send(forge, payload, kind).json()
    assert answer["outcome"] == "ignored"
    assert reason in answer["reason"]
    assert events(record) == []
    (delivery,) = deliveries(record)
    assert delivery.reason == answer["reason"]
