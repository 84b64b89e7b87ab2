"""Pagure's webhooks: git.receive, git.tag.creation, pull-request.new and pull-request.updated.

Called by the door. The topic and the id are taken from the body, which is signed; the headers of the same names are
not. The commit of a fork's pull request is in the fork only, so its URL goes along. It never asks Pagure back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm_api.webhooks.forge import (
    Message,
    Payload,
    Reading,
    Wish,
    commit,
    header,
    look,
    number,
    pushed,
    text,
)
from farm_api.webhooks.signatures import hex_fits
from farm_scheduler.triggers import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Pagure:
    """Pagure 5."""

    name: str = "pagure"
    signs_ids: bool = True

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether it has a signature."""
        return bool(header(headers, "x-pagure-signature-256"))

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the signature is that of the body."""
        return hex_fits(header(message.headers, "x-pagure-signature-256"), message.body, secrets)

    def kind(self, message: Message) -> str:
        """The topic, as `git.receive`."""
        return str(look(message.payload, "topic") or "")

    def delivery_id(self, message: Message) -> str:
        """The id in the body."""
        return str(look(message.payload, "msg_id") or "")

    def repository(self, payload: Payload) -> str:
        """The URL of the project's page, which is the clone URL without `.git`."""
        if look(payload, "msg", "repo"):
            return text(payload, "msg", "repo", "full_url")
        if look(payload, "msg", "pullrequest"):
            return text(payload, "msg", "pullrequest", "project", "full_url")
        return text(payload, "msg", "project", "full_url")

    def read(self, message: Message) -> Reading:
        """What it asks for."""
        kind, payload = self.kind(message), message.payload
        match kind:
            case "git.receive":
                branch = text(payload, "msg", "branch").removeprefix("refs/heads/")
                return pushed(f"refs/heads/{branch}", commit(payload, "msg", "end_commit"))
            case "git.tag.creation":
                tag = text(payload, "msg", "tag").removeprefix("refs/tags/")
                # Its `rev` may be that of the tag itself: the worker asks for the commit.
                return Reading(wishes=(Wish(trigger=Trigger.TAG, ref=tag),))
            case "pull-request.new" | "pull-request.updated":
                return _pull_request(payload)
        return Reading(reason=f"nothing follows from {kind or 'an event without a name'}")


def _pull_request(payload: Payload) -> Reading:
    if not look(payload, "msg", "pullrequest", "commit_stop"):
        return Reading(reason="the pull request has no commit yet")
    wish = Wish(
        trigger=Trigger.PULL_REQUEST,
        ref=f"pull/{number(payload, 'msg', 'pullrequest', 'id')}",
        revision=commit(payload, "msg", "pullrequest", "commit_stop"),
        source=_fork(payload),
    )
    return Reading(wishes=(wish,))


def _fork(payload: Payload) -> str | None:
    request = ("msg", "pullrequest")
    if not look(payload, *request, "repo_from"):
        return None
    page = text(payload, *request, "repo_from", "full_url")
    if page == text(payload, *request, "project", "full_url"):
        return None
    # The page of a fork is below `fork/`, and what git clones below `forks/`, as in its full name.
    server = page.removesuffix(text(payload, *request, "repo_from", "url_path"))
    return f"{server}{text(payload, *request, 'repo_from', 'fullname')}.git"
