"""The interface of a forge's webhooks: where the proof, the project and the events are in what it sends.

Implemented by one small module per forge, called by the door. A forge reads headers and parsed JSON; it never fetches,
and what it returns is a wish that a worker looks into.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from farm_api.errors import BodyError
from farm_scheduler.triggers import Trigger

Payload = Mapping[str, Any]

LONGEST = 500
COMMIT = re.compile(r"[0-9a-f]{7,64}")
NO_COMMIT = re.compile(r"0+")
CLEAN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request: its headers by lower-case name, the body as it came, and what is in it."""

    headers: Mapping[str, str]
    body: bytes
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A run that a message asks for.

    Attributes:
        ref: a branch or tag without `refs/…`, or `pull/NUMBER`.
        revision: the commit; None where the message does not say.
        source: the URL of the fork that has the commit, where the project's own repository has it not.
        version: of a release on a package index.
        again: a person asked for another run of the same.
        run: the run that it is another of, as the message calls it.
    """

    trigger: Trigger
    ref: str | None = None
    revision: str | None = None
    source: str | None = None
    version: str | None = None
    again: bool = False
    run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message asks for; `reason` says why it asks for nothing."""

    wishes: Sequence[Wish] = ()
    reason: str | None = None


class Forge(Protocol):
    """A forge, or a relay that speaks like one."""

    @property
    def name(self) -> str:
        """The last part of the door's address, and the forge of a project."""

    @property
    def signs_ids(self) -> bool:
        """Whether the id is proven as well; if not, a body that comes again under another id is a replay.

        Where the proof is the secret itself nothing would be won: who has it can write any body.
        """

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether there is anything that could be a proof."""

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the message is proven by one of these secrets."""

    def kind(self, message: Message) -> str:
        """The forge's word for what happened."""

    def delivery_id(self, message: Message) -> str:
        """The forge's own name for this delivery: the same when it is sent again. Raises BodyError without one."""

    def repository(self, payload: Payload) -> str:
        """The URL of the repository that the message is about. Raises BodyError without one."""

    def read(self, message: Message) -> Reading:
        """What the message asks for. Raises BodyError where it misses what its kind has."""


def part(payload: Payload, *path: str) -> Payload:
    """An object in the payload.

    Raises:
        BodyError: there is none at that place.
    """
    found = look(payload, *path)
    if isinstance(found, dict):
        return found
    raise BodyError(f"the payload has no object {'.'.join(path)}; is this the right door for this forge?")


def text(payload: Payload, *path: str) -> str:
    """A word in the payload: short, and without spaces or anything that is not printed.

    Raises:
        BodyError: there is none at that place.
    """
    found = look(payload, *path)
    if isinstance(found, str) and len(found) <= LONGEST and CLEAN.fullmatch(found):
        return found
    raise BodyError(f"the payload has no word {'.'.join(path)}; is this the right door for this forge?")


def look(payload: Payload, *path: str) -> Any:
    """Whatever is at that place, or None."""
    found: Any = payload
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def commit(payload: Payload, *path: str) -> str:
    """A commit in the payload.

    Raises:
        BodyError: there is no hash at that place.
    """
    found = text(payload, *path).lower()
    if COMMIT.fullmatch(found):
        return found
    raise BodyError(f"{'.'.join(path)} in the payload is no commit; is this the right door for this forge?")


def number(payload: Payload, *path: str) -> int:
    """A positive number in the payload.

    Raises:
        BodyError: there is none at that place.
    """
    found = look(payload, *path)
    if isinstance(found, int) and not isinstance(found, bool) and 0 < found < 2**53:
        return found
    raise BodyError(f"the payload has no number {'.'.join(path)}; is this the right door for this forge?")


def pushed(ref: str, revision: str | None) -> Reading:
    """What a push of one ref asks for; without a revision the ref was deleted."""
    if revision is None or NO_COMMIT.fullmatch(revision):
        return Reading(reason=f"{ref} was deleted: there is nothing to run")
    if ref.startswith("refs/heads/"):
        wish = Wish(trigger=Trigger.PUSH, ref=ref.removeprefix("refs/heads/"), revision=revision)
    elif ref.startswith("refs/tags/"):
        wish = Wish(trigger=Trigger.TAG, ref=ref.removeprefix("refs/tags/"), revision=revision)
    else:
        return Reading(reason=f"{ref} is neither a branch nor a tag")
    return Reading(wishes=(wish,))


def header(headers: Mapping[str, str], *names: str) -> str:
    """The first of these headers that is there and has a value, or nothing."""
    return next((headers[name] for name in names if headers.get(name)), "")
