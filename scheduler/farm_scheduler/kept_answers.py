"""Answers kept by Idempotency-Key: the same request twice is carried out once.

Called by the API's doors. The key is the caller's own, and holds for a day. A request whose process died is carried out
again after a minute: what it makes has ids derived from the key (`derived_id`), so that even then nothing is doubled.
It never keeps an answer of 500 or above.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete

from farm_scheduler.access_tables import KeptAnswer
from farm_scheduler.database import Database
from farm_scheduler.errors import IdempotencyError
from farm_scheduler.identifiers import ALPHABET, LENGTH
from farm_scheduler.tables import now

KEPT_FOR = timedelta(days=1)
ABANDONED_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: str


def begin(database: Database, actor: str, key: str, request_sha256: str) -> Answer | None:
    """The answer that was given already, or None: the request is now to be carried out.

    Raises:
        IdempotencyError: the key belongs to another request, or the request is being carried out; `data["busy"]`
            tells which.
    """
    try:
        return _begin(database, actor, key, request_sha256)
    except IntegrityError as error:  # another server's process was faster
        raise _busy() from error


def _begin(database: Database, actor: str, key: str, request_sha256: str) -> Answer | None:
    with database.write() as session:
        session.exec(delete(KeptAnswer).where(col(KeptAnswer.begun) < now() - KEPT_FOR))
        kept = session.get(KeptAnswer, (actor, key), with_for_update=True)
        if kept is None:
            session.add(KeptAnswer(actor=actor, key=key, request_sha256=request_sha256))
            return None
        if kept.request_sha256 != request_sha256:
            sentence = "this Idempotency-Key was used for another request; make a new key for a new request"
            raise IdempotencyError(sentence, busy=False)
        if kept.status is not None:
            return Answer(status=kept.status, body=kept.body or "")
        if now() - kept.begun < ABANDONED_AFTER:
            raise _busy()
        kept.begun = now()
        return None


def keep(database: Database, actor: str, key: str, answer: Answer) -> None:
    """Keep an answer; one that is the farm's own fault frees the key, so that the request can be made again."""
    with database.write() as session:
        kept = session.get(KeptAnswer, (actor, key))
        if kept is None:
            return
        if answer.status >= 500:
            session.delete(kept)
            return
        kept.status, kept.body = answer.status, answer.body


def _busy() -> IdempotencyError:
    sentence = "the request with this Idempotency-Key has not ended yet; ask again in a moment"
    return IdempotencyError(sentence, busy=True)


def derived_id(kind: str, actor: str, key: str) -> str:
    """The id of what a request with this key makes: the same for the same caller and key."""
    digest = hashlib.sha256(f"{kind}\0{actor}\0{key}".encode()).digest()
    return kind + "-" + "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])
