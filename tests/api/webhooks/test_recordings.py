"""What real servers of the other forges sent, as far as a door reads it: the values of recorded deliveries.

The recordings are test data of Woodpecker CI and of Zulip (both Apache-2.0), read at the commits named below. Of each,
the values that the doors look at were carried over, in their places and with the neighbours that could mislead a
reader; what says nothing to a door (avatars, permissions, people) was left out, so none of them is a whole recording.
"""

from dataclasses import dataclass

import pytest

from farm_scheduler.project_secrets import add_secret
from farm_scheduler.projects import add_project
from farm_scheduler.secret_box import secret_box

from .conftest import events

NONE = "0" * 40


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One delivery: who sent it, where it was recorded, what was in it, and the one event (or reason) of it."""

    forge: str
    source: str
    repository: str
    kind: str
    body: dict
    event: tuple | None = None
    reason: str = ""


def gitlab(url, **fields):
    """A delivery of GitLab with its project as it names it."""
    page = url.removesuffix(".git")
    project = {"web_url": page, "git_http_url": url, "homepage": page, "http_url": url}
    return {**fields, "project": project, "repository": {"homepage": page}}


def forgejo(url, **fields):
    """A delivery of Gitea or Forgejo with its repository as they name it."""
    page = url.removesuffix(".git")
    return {**fields, "repository": {"html_url": page, "clone_url": url, "parent": None, "fork": False}}


def place(name):
    """A repository as Bitbucket names it: its page alone, no clone URL."""
    links = {
        "self": {"href": f"https://api.bitbucket.org/2.0/repositories/{name}"},
        "html": {"href": f"https://bitbucket.org/{name}"},
    }
    return {"type": "repository", "full_name": name, "links": links}


def change(new, **fields):
    """A push to Bitbucket of one change."""
    return {"push": {"changes": [{"new": new, "truncated": False, **fields}]}}


LOCAL = "http://10.40.8.5:3200/test/woodpecker.git"
ANBRATEN = "https://gitlab.com/anbraten/woodpecker.git"
AWESOME = "https://gitlab.com/TomaszKolek/my-awesome-project.git"
KOSTEK = "https://try.gitea.io/kostekIV/test.git"
MEISAM = "https://codeberg.org/meisam/woodpecktester.git"
THING = "https://codeberg.org/test_it/test_ci_thing.git"
PUBLIC = "martinherren1984/publictestrepo"
COLLECT = "6543/collect-webhooks"
NAME = "kolaszek/repository-name"

RECORDINGS = {
    "gitlab-push": Recording(
        forge="gitlab",
        source="Woodpecker a4a8ef7, forge/gitlab/fixtures/HookPush",
        repository=LOCAL,
        kind="Push Hook",
        body=gitlab(
            LOCAL,
            object_kind="push",
            before="ffe8eb4f91d1fe6bc49f1e610e50e4b5767f0104",
            after="16862e368d8ab812e48833b741dad720d6e2cb7f",
            ref="refs/heads/main",
            checkout_sha="16862e368d8ab812e48833b741dad720d6e2cb7f",
            message=None,
        ),
        event=("push", "main", "16862e368d8ab812e48833b741dad720d6e2cb7f"),
    ),
    "gitlab-annotated-tag": Recording(
        forge="gitlab",
        source="Woodpecker 52261df, forge/gitlab/fixtures/HookTag",
        repository=LOCAL,
        kind="Tag Push Hook",
        body=gitlab(
            LOCAL,
            object_kind="tag_push",
            before=NONE,
            after="fabed3d94cd03e6c2b7958afa9569c18a24d301f",
            ref="refs/tags/v22",
            checkout_sha="16862e368d8ab812e48833b741dad720d6e2cb7f",
            message="hi",
        ),
        event=("tag", "v22", "16862e368d8ab812e48833b741dad720d6e2cb7f"),
    ),
    "gitlab-merge-request-updated": Recording(
        forge="gitlab",
        source="Woodpecker f63f065, forge/gitlab/fixtures/HookPullRequestUpdated",
        repository=ANBRATEN,
        kind="Merge Request Hook",
        body=gitlab(
            ANBRATEN,
            object_kind="merge_request",
            event_type="merge_request",
            object_attributes={
                "id": 134400602,
                "iid": 3,
                "action": "update",
                "oldrev": "8b641937b7340066d882b9d8a8cc5b0573a207de",
                "state": "opened",
                "merge_commit_sha": None,
                "last_commit": {"id": "c136499ec574e1034b24c5d306de9acda3005367"},
            },
        ),
        event=("pull-request", "pull/3", "c136499ec574e1034b24c5d306de9acda3005367"),
    ),
    "gitlab-branch-deleted": Recording(
        forge="gitlab",
        source="Zulip 6779b2c, webhooks/gitlab/fixtures/push_hook__remove_branch",
        repository=AWESOME,
        kind="Push Hook",
        body=gitlab(
            AWESOME,
            object_kind="push",
            before="68595bc36ba5561c86c73c34ca7a3aae5a0dcfd8",
            after=NONE,
            ref="refs/heads/tomek",
            checkout_sha=None,
            message=None,
            commits=[],
        ),
        reason="was deleted",
    ),
    "gitea-push": Recording(
        forge="gitea",
        source="Zulip 4aab119, webhooks/gitea/fixtures/push__5_commits",
        repository=KOSTEK,
        kind="push",
        body=forgejo(
            KOSTEK,
            secret="123",
            ref="refs/heads/d",
            before="21138d2ca0ce18f8e037696fdbe1b3f0c211f630",
            after="2ec0c971d04723523aa20f2b378f8b419b47d4ec",
            head_commit=None,
        ),
        event=("push", "d", "2ec0c971d04723523aa20f2b378f8b419b47d4ec"),
    ),
    "gitea-pull-request-opened": Recording(
        forge="gitea",
        source="Zulip 4aab119, webhooks/gitea/fixtures/pull_request__opened",
        repository=KOSTEK,
        kind="pull_request",
        body=forgejo(
            KOSTEK,
            secret="123",
            action="opened",
            number=4,
            pull_request={
                "id": 1905,
                "number": 4,
                "state": "open",
                "merge_commit_sha": None,
                "base": {"ref": "master", "sha": "df5c4968af6569095b40fa8f756953072d03d39f"},
                "head": {"ref": "test-branch", "sha": "01efc1fe09d4fba25397a386a6c623fd12eadd79"},
                "merge_base": "50a822293e4dda7fdc1ecb6e61f7da62345b7fce",
            },
        ),
        event=("pull-request", "pull/4", "01efc1fe09d4fba25397a386a6c623fd12eadd79"),
    ),
    "forgejo-push-of-a-branch": Recording(
        forge="forgejo",
        source="Woodpecker b2d151f, forge/forgejo/fixtures/HookPushBranch (Codeberg)",
        repository=MEISAM,
        kind="push",
        body=forgejo(
            MEISAM,
            ref="refs/heads/fdsafdsa",
            before=NONE,
            after="28c3613ae62640216bea5e7dc71aa65356e4298b",
            commits=[],
            head_commit={"id": "28c3613ae62640216bea5e7dc71aa65356e4298b", "verification": None},
        ),
        event=("push", "fdsafdsa", "28c3613ae62640216bea5e7dc71aa65356e4298b"),
    ),
    "forgejo-pull-request-reopened": Recording(
        forge="forgejo",
        source="Woodpecker dd83e35, forge/forgejo/fixtures/HookPullRequestReopened (Codeberg)",
        repository=THING,
        kind="pull_request",
        body=forgejo(
            THING,
            action="reopened",
            number=1,
            pull_request={
                "id": 701944,
                "number": 1,
                "state": "open",
                "draft": False,
                "base": {"ref": "main", "sha": "67012991d6c69b1c58378346fca366b864d8d1a1"},
                "head": {"ref": "6543-patch-1", "sha": "36b5813240a9d2daa29b05046d56a53e18f39a3e"},
                "merge_base": "67012991d6c69b1c58378346fca366b864d8d1a1",
            },
            commit_id="",
            review=None,
        ),
        event=("pull-request", "pull/1", "36b5813240a9d2daa29b05046d56a53e18f39a3e"),
    ),
    "bitbucket-push": Recording(
        forge="bitbucket",
        source="Woodpecker 623c52e, forge/bitbucket/fixtures/HookPush",
        repository=f"https://bitbucket.org/{PUBLIC}",
        kind="repo:push",
        body={
            "repository": place(PUBLIC),
            **change(
                {
                    "name": "main",
                    "type": "branch",
                    "target": {"type": "commit", "hash": "c14c1bb05dfb1fdcdf06b31485fff61b0ea44277"},
                },
                old={
                    "name": "main",
                    "type": "branch",
                    "target": {"type": "commit", "hash": "a51241ae1f00cbe728930db48e890b18fd527f99"},
                },
                created=False,
                closed=False,
            ),
        },
        event=("push", "main", "c14c1bb05dfb1fdcdf06b31485fff61b0ea44277"),
    ),
    "bitbucket-pull-request-updated": Recording(
        forge="bitbucket",
        source="Woodpecker 768683e, forge/bitbucket/fixtures/HookPullPush",
        repository=f"https://bitbucket.org/{COLLECT}",
        kind="pullrequest:updated",
        body={
            "repository": {**place(COLLECT), "parent": None},
            "pullrequest": {
                "type": "pullrequest",
                "id": 2,
                "state": "OPEN",
                "merge_commit": None,
                "destination": {"commit": {"hash": "859c737a468f"}, "repository": place(COLLECT)},
                "source": {"commit": {"hash": "26240d6b7e74"}, "repository": place(COLLECT)},
            },
        },
        event=("pull-request", "pull/2", "26240d6b7e74"),
    ),
    "bitbucket-branch-deleted": Recording(
        forge="bitbucket",
        source="Zulip 4aab119, webhooks/bitbucket2/fixtures/remove_branch",
        repository=f"https://bitbucket.org/{NAME}",
        kind="repo:push",
        body={
            "repository": place(NAME),
            **change(
                None,
                old={
                    "name": "master",
                    "type": "branch",
                    "target": {"type": "commit", "hash": "25f93d22b719e2d678a7ad5ee0ef0d1fcdf39c12"},
                },
                created=False,
                closed=True,
            ),
        },
        reason="every ref of it was deleted",
    ),
}


@pytest.fixture(params=RECORDINGS)
def recording(request, record, settings, secrets):
    """A recording whose repository is a project of the farm (beside those of `secrets`), and the project's secret."""
    assert request.param not in secrets
    found = RECORDINGS[request.param]
    with record.write() as session:
        project = add_project(session, "recorded", found.repository, found.forge)
        return found, add_secret(session, secret_box(settings), project.id)


def test_what_a_server_really_sent_is_understood(doors, record, recording):
    """Each recorded delivery becomes the one event that it asks for, or is told why nothing follows."""
    sent, secret = recording
    answer = doors.send(sent.forge, sent.body, sent.kind, secret=secret)
    assert answer.status_code == 202, answer.text
    found = [(event.trigger, event.ref, event.revision) for event in events(record)]
    assert found == ([sent.event] if sent.event else [])
    assert sent.reason in (answer.json()["reason"] or "")
    assert all(event.target == f"git+{sent.repository}" for event in events(record))


def test_a_recording_that_another_secret_signed_is_refused(doors, record, recording):
    """The right body with a wrong signature or token asks for nothing."""
    sent, _ = recording
    assert doors.send(sent.forge, sent.body, sent.kind, secret="another one").status_code == 403
    assert events(record) == []
