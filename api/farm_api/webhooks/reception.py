"""The reception of webhooks: checks who speaks, records what was said once, and says what became of it.

Called by the doors, in a thread. The order is the point: the project is found by what the body says, but nothing is
recorded or read further before the signature is right. It never fetches anything and sends no message itself.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from farm_api.errors import BodyError, SignatureError, UnsignedError
from farm_api.webhooks.forge import CLEAN, Forge, Message, Reading, Wish
from farm_api.webhooks.package_relay import PackageRelay
from farm_scheduler.database import Database
from farm_scheduler.deliveries import (
    LONGEST_TEXT,
    Door,
    Incoming,
    Notice,
    find_door,
    record_delivery,
    recorded_id,
    run_of_commit,
)
from farm_scheduler.guest_text import clean_line
from farm_scheduler.projects import address_of
from farm_scheduler.secret_box import SecretBox

LONGEST_ID = 180
"""Characters; the record may put a project's id before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a forge is told.

    Attributes:
        outcome: `recorded`, `ignored` or `known`.
        events: the ids of what was recorded.
        reason: why nothing follows, where nothing does.
    """

    outcome: str
    delivery: str
    events: tuple[str, ...] = ()
    reason: str | None = None


def receive(
    database: Database, box: SecretBox, forge: Forge, headers: Mapping[str, str], body: bytes
) -> Answer:
    """Take one delivery.

    Raises:
        UnsignedError: nothing in it proves where it comes from.
        BodyError: it is no JSON object, or misses what its kind has.
        SignatureError: the proof is wrong, or the farm follows no such project.
    """
    if not forge.is_signed(headers):
        raise UnsignedError(
            "the request has no signature; give the webhook the project's secret", forge=forge.name
        )
    message = Message(headers=headers, body=body, payload=_object(body))
    door = _door(database, box, forge, message)
    delivery = forge.delivery_id(message)
    if not (0 < len(delivery) <= LONGEST_ID and CLEAN.fullmatch(delivery)):
        raise BodyError("the delivery has no id; is this the right door for this forge?", forge=forge.name)
    notices, reason = _notices(database, door, forge.read(message))
    incoming = Incoming(
        forge=forge.name,
        delivery_id=recorded_id(forge.name, door.project_id, delivery),
        project_id=door.project_id,
        kind=clean_line(forge.kind(message))[:LONGEST_TEXT],
        notices=notices,
        reason=reason,
        digest=None if forge.signs_ids else hashlib.sha256(body).hexdigest(),
    )
    events = record_delivery(database, incoming)
    if events is None:
        return Answer(
            outcome="known", delivery=delivery, reason="this delivery came before; nothing was done"
        )
    return Answer(
        outcome="recorded" if events else "ignored", delivery=delivery, events=events, reason=reason
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyError("the body is no JSON; set the webhook's content type to application/json") from error
    if not isinstance(found, dict):
        raise BodyError("the body is no JSON object; is this the right door for this forge?")
    return found


def _door(database: Database, box: SecretBox, forge: Forge, message: Message) -> Door:
    """The project that the message names, once its signature is right."""
    named = forge.repository(message.payload)
    if isinstance(forge, PackageRelay):
        door = find_door(database, forge=None, address=named)
    else:
        door = find_door(database, forge=forge.name, address=_address(named))
    secrets = [box.open(sealed) for sealed in door.sealed] if door is not None else []
    # Without a secret the same work is done, so that the time does not tell which projects there are.
    if not forge.fits(message, secrets or ["-"]) or not secrets or door is None:
        sentence = (
            "the signature fits no secret of a project with this repository; see wheelfarm project list, "
            "and make a new secret with wheelfarm project secret"
        )
        raise SignatureError(sentence, forge=forge.name)
    return door


def _address(url: str) -> str:
    try:
        return address_of(url)
    except ValueError as error:
        raise BodyError("the payload's repository has no URL that can be read") from error


def _notices(database: Database, door: Door, reading: Reading) -> tuple[list[Notice], str | None]:
    notices, reason = [], reading.reason
    for wish in reading.wishes:
        ref, target = wish.ref, _target(door, wish)
        if target is None:
            reason = "the commit is in a repository of another host, which is not fetched"
            continue
        if wish.run is not None:
            run = run_of_commit(database, door.project_id, wish.run, wish.revision)
            if run is None:
                reason = (
                    "the farm has no such run of this commit; push it again, or ask for a whole check suite"
                )
                continue
            ref = run.ref
        notices.append(
            Notice(trigger=wish.trigger, target=target, ref=ref, revision=wish.revision, again=wish.again)
        )
    return notices, None if notices or reason is None else clean_line(reason)[:LONGEST_TEXT]


def _target(door: Door, wish: Wish) -> str | None:
    """What is to be fetched: a fork only from the host of the project itself."""
    if wish.version is not None:
        return f"{door.name}=={wish.version}"
    own = door.repository or ""
    if wish.source is None:
        return f"git+{own}"
    try:
        fork, home = urlsplit(wish.source), urlsplit(own)
    except ValueError as error:
        raise BodyError("the payload's fork has no URL that can be read") from error
    same = (fork.scheme, fork.netloc.lower()) == (home.scheme, home.netloc.lower())
    return f"git+{wish.source}" if same else None
