"""GitHub's webhooks: push, create, pull_request, release, check_run and check_suite rerequested, ping.

Called by the door. A message is proven by `X-Hub-Signature-256`, the HMAC of the body alone: neither its time nor its
id is, so the door takes a body once, under whatever id it comes again. It never asks GitHub back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from farm_api.webhooks.forge import (
    NO_COMMIT,
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

NEW_COMMITS = frozenset({"opened", "synchronize", "synchronized", "reopened"})
"""What brings a commit to a pull request; Gitea and Forgejo spell one of them their own way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """GitHub, and what speaks like it: the names of the headers are all that differs.

    Attributes:
        signatures: headers that may hold the signature, the best one first.
    """

    name: str = "github"
    signatures: tuple[str, ...] = ("x-hub-signature-256",)
    kinds: tuple[str, ...] = ("x-github-event",)
    deliveries: tuple[str, ...] = ("x-github-delivery",)
    signs_ids: bool = False

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether it has a signature."""
        return bool(header(headers, *self.signatures))

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the signature is that of the body."""
        given = header(message.headers, *self.signatures).removeprefix("sha256=")
        return hex_fits(given, message.body, secrets)

    def kind(self, message: Message) -> str:
        """The event, as `pull_request`."""
        return header(message.headers, *self.kinds)

    def delivery_id(self, message: Message) -> str:
        """Its GUID, which a redelivery keeps."""
        return header(message.headers, *self.deliveries)

    def repository(self, payload: Payload) -> str:
        """The clone URL."""
        return text(payload, "repository", "clone_url")

    def read(self, message: Message) -> Reading:
        """What it asks for."""
        kind = self.kind(message)
        reader = READERS.get(kind)
        if reader is None:
            return Reading(reason=f"nothing follows from {kind or 'an event without a name'}")
        return reader(message.payload)


def _push(payload: Payload) -> Reading:
    ref = text(payload, "ref")
    if look(payload, "deleted") is True or NO_COMMIT.fullmatch(text(payload, "after")):
        return pushed(ref, None)
    # Of an annotated tag `after` is the tag's own hash; its commit is the head.
    head = look(payload, "head_commit", "id")
    return pushed(ref, commit(payload, "head_commit", "id") if head else commit(payload, "after"))


def _create(payload: Payload) -> Reading:
    if look(payload, "ref_type") != "tag":
        return Reading(reason="the push of a new branch comes by itself")
    ref = text(payload, "ref").removeprefix("refs/tags/")
    return Reading(wishes=(Wish(trigger=Trigger.TAG, ref=ref),))


def _pull_request(payload: Payload) -> Reading:
    action = text(payload, "action")
    if action not in NEW_COMMITS:
        return Reading(reason=f"{action} brings no new commit")
    # The commit of a fork is in the project's own repository as well (refs/pull/N/head).
    wish = Wish(
        trigger=Trigger.PULL_REQUEST,
        ref=f"pull/{number(payload, 'number')}",
        revision=commit(payload, "pull_request", "head", "sha"),
    )
    return Reading(wishes=(wish,))


def _release(payload: Payload) -> Reading:
    action = text(payload, "action")
    if action != "published":
        return Reading(reason=f"a release that is {action} is none that is published")
    return Reading(wishes=(Wish(trigger=Trigger.RELEASE, ref=text(payload, "release", "tag_name")),))


def _rerequested(payload: Payload) -> Reading:
    kind = "check_run" if "check_run" in payload else "check_suite"
    action = text(payload, "action")
    if action != "rerequested":
        return Reading(reason=f"a check that is {action} asks for nothing")
    revision = commit(payload, kind, "head_sha")
    if kind == "check_run":
        # Ours has the run's id; the check runs of others are their business.
        if not look(payload, kind, "external_id"):
            return Reading(reason="this check is none of the farm's")
        run = text(payload, kind, "external_id")
        return Reading(wishes=(Wish(trigger=Trigger.PERSON, revision=revision, again=True, run=run),))
    branch = look(payload, kind, "head_branch")
    ref = text(payload, kind, "head_branch") if branch else None
    return Reading(wishes=(Wish(trigger=Trigger.PERSON, ref=ref, revision=revision, again=True),))


READERS: Mapping[str, Callable[[Payload], Reading]] = {
    "push": _push,
    "create": _create,
    "pull_request": _pull_request,
    "pull_request_sync": _pull_request,
    "release": _release,
    "check_run": _rerequested,
    "check_suite": _rerequested,
    "ping": lambda _: Reading(reason="pong"),
}
"""What each event is read by."""
