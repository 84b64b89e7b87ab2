"""GitLab's webhooks: push, tag push, merge request and release, with a token or signed.

Called by the door. The older proof is the secret itself in `X-Gitlab-Token`, the newer one a signature after Standard
Webhooks; where there is a signature, the token counts for nothing. It never asks GitLab back.
"""

import hashlib
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
from farm_api.webhooks.signatures import standard_fits, token_fits
from farm_scheduler.triggers import Trigger

SIGNATURE = "webhook-signature"
DELIVERIES = ("webhook-id", "idempotency-key", "x-gitlab-event-uuid")
"""Headers that name a delivery, the newest GitLab's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab:
    """GitLab, gitlab.com or anybody's own."""

    name: str = "gitlab"
    signs_ids: bool = True

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether it has a token or a signature."""
        return bool(header(headers, SIGNATURE, "x-gitlab-token"))

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the signature is right, or the token where there is no signature."""
        headers = message.headers
        if signature := header(headers, SIGNATURE):
            name, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
            return standard_fits(name, timestamp, signature, message.body, secrets)
        return token_fits(headers.get("x-gitlab-token", ""), secrets)

    def kind(self, message: Message) -> str:
        """The kind of object, as `merge_request`."""
        return str(look(message.payload, "object_kind") or header(message.headers, "x-gitlab-event"))

    def delivery_id(self, message: Message) -> str:
        """Its id; from a GitLab that gives none, what tells the body from every other one."""
        return header(message.headers, *DELIVERIES) or hashlib.sha256(message.body).hexdigest()

    def repository(self, payload: Payload) -> str:
        """The clone URL over HTTP."""
        return text(payload, "project", "git_http_url")

    def read(self, message: Message) -> Reading:
        """What it asks for."""
        kind, payload = self.kind(message), message.payload
        match kind:
            case "push" | "tag_push":
                # None when the ref was deleted; of an annotated tag its commit, while `after` is the tag itself.
                gone = look(payload, "checkout_sha") is None
                return pushed(text(payload, "ref"), None if gone else commit(payload, "checkout_sha"))
            case "merge_request":
                return _merge_request(payload)
            case "release":
                return _release(payload)
        return Reading(reason=f"nothing follows from {kind or 'an event without a name'}")


def _merge_request(payload: Payload) -> Reading:
    action = str(look(payload, "object_attributes", "action") or "")
    brings = action in {"open", "reopen"} or (
        action == "update" and look(payload, "object_attributes", "oldrev") is not None
    )
    if not brings:
        return Reading(reason=f"{action or 'this'} brings no new commit")
    # The commit of a fork is in the project's own repository as well (refs/merge-requests/N/head).
    wish = Wish(
        trigger=Trigger.PULL_REQUEST,
        ref=f"pull/{number(payload, 'object_attributes', 'iid')}",
        revision=commit(payload, "object_attributes", "last_commit", "id"),
    )
    return Reading(wishes=(wish,))


def _release(payload: Payload) -> Reading:
    if look(payload, "action") != "create":
        return Reading(reason="a release is run when it is made, not when it changes")
    revision = commit(payload, "commit", "id") if look(payload, "commit", "id") else None
    wish = Wish(trigger=Trigger.RELEASE, ref=text(payload, "tag"), revision=revision)
    return Reading(wishes=(wish,))
