"""Bitbucket Cloud's webhooks: repo:push, pullrequest:created and pullrequest:updated.

Called by the door. One push may tell of several refs, each of which is an event. The commit of a fork's pull request is
in the fork only, so its URL goes along; it never asks Bitbucket back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm_api.errors import BodyError
from farm_api.webhooks.forge import Message, Payload, Reading, Wish, commit, header, look, number, text
from farm_api.webhooks.signatures import hex_fits
from farm_scheduler.triggers import Trigger

MOST_CHANGES = 20
"""Refs of one push that become events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitbucket:
    """Bitbucket Cloud."""

    name: str = "bitbucket"
    signs_ids: bool = False

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether it has a signature."""
        return bool(header(headers, "x-hub-signature"))

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the signature is that of the body."""
        method, _, given = header(message.headers, "x-hub-signature").partition("=")
        return method == "sha256" and hex_fits(given, message.body, secrets)

    def kind(self, message: Message) -> str:
        """The event key, as `repo:push`."""
        return header(message.headers, "x-event-key")

    def delivery_id(self, message: Message) -> str:
        """Its UUID, which another attempt keeps."""
        return header(message.headers, "x-request-uuid")

    def repository(self, payload: Payload) -> str:
        """The URL of its page, which is the clone URL as well."""
        return text(payload, "repository", "links", "html", "href")

    def read(self, message: Message) -> Reading:
        """What it asks for."""
        kind = self.kind(message)
        if kind == "repo:push":
            return _push(message.payload)
        if kind in {"pullrequest:created", "pullrequest:updated"}:
            return _pull_request(message.payload)
        return Reading(reason=f"nothing follows from {kind or 'an event without a name'}")


def _push(payload: Payload) -> Reading:
    changes = look(payload, "push", "changes")
    if not isinstance(changes, list):
        raise BodyError("the payload has no list push.changes; is this the right door for this forge?")
    if not changes:
        return Reading(reason="the push names no branch or tag: there is nothing to run")
    wishes = [_change(change["new"]) for change in changes[:MOST_CHANGES] if look_new(change)]
    if wishes:
        return Reading(wishes=tuple(wishes))
    return Reading(reason="every ref of it was deleted: there is nothing to run")


def look_new(change: object) -> bool:
    """Whether a change leaves a branch or tag behind."""
    kinds = {"branch", "tag", "annotated_tag"}
    return isinstance(change, dict) and str(look(change, "new", "type")) in kinds


def _change(new: Payload) -> Wish:
    trigger = Trigger.PUSH if look(new, "type") == "branch" else Trigger.TAG
    return Wish(trigger=trigger, ref=text(new, "name"), revision=commit(new, "target", "hash"))


def _pull_request(payload: Payload) -> Reading:
    source = look(payload, "pullrequest", "source", "repository", "full_name")
    fork = source is not None and source != look(payload, "repository", "full_name")
    wish = Wish(
        trigger=Trigger.PULL_REQUEST,
        ref=f"pull/{number(payload, 'pullrequest', 'id')}",
        revision=commit(payload, "pullrequest", "source", "commit", "hash"),
        source=text(payload, "pullrequest", "source", "repository", "links", "html", "href")
        if fork
        else None,
    )
    return Reading(wishes=(wish,))
