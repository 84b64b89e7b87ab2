"""Answers kept by Idempotency-Key: the same request twice is carried out once.

Called by the API's doors. The key is the caller's own, and holds for a day. A request whose process died is carried out
again after a minute, under the id that was reserved for what it makes, so that even then nothing is doubled. That id is
random: nobody chooses it by choosing a key. It never keeps an answer of 500 or above.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete

from farm_scheduler.access_tables import KeptAnswer
from farm_scheduler.database import Database
from farm_scheduler.errors import IdempotencyError
from farm_scheduler.identifiers import new_id
from farm_scheduler.tables import now

KEPT_FOR = timedelta(days=1)
ABANDONED_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and a JSON body."""

    status: int
    body: str


def begin(database: Database, actor: str, key: str, request_sha256: str) -> Answer | str:
    """The answer that was given already, or the id for the run that the request may make: it is now to be carried out.

    Raises:
        IdempotencyError: the key belongs to another request, or the request is being carried out; `data["busy"]`
            tells which.
    """
    try:
        return _begin(database, actor, key, request_sha256)
    except IntegrityError as error:  # another server's process was faster
        raise _busy() from error


def _begin(database: Database, actor: str, key: str, request_sha256: str) -> Answer | str:
    with database.write() as session:
        session.exec(delete(KeptAnswer).where(col(KeptAnswer.begun) < now() - KEPT_FOR))
        kept = session.get(KeptAnswer, (actor, key), with_for_update=True)
        if kept is None:
            reserved = new_id("r")
            session.add(KeptAnswer(actor=actor, key=key, request_sha256=request_sha256, body=reserved))
            return reserved
        if kept.request_sha256 != request_sha256:
            sentence = "this Idempotency-Key was used for another request; make a new key for a new request"
            raise IdempotencyError(sentence, busy=False)
        if kept.status is not None:
            return Answer(status=kept.status, body=kept.body or "")
        if now() - kept.begun < ABANDONED_AFTER:
            raise _busy()
        kept.begun, kept.body = now(), kept.body or new_id("r")
        return kept.body


def keep(database: Database, actor: str, key: str, answer: Answer | None) -> None:
    """Keep an answer; None, for a request that was refused, frees the key.

    After an answer that is the farm's own fault the request can be made again, under the same id.
    """
    with database.write() as session:
        kept = session.get(KeptAnswer, (actor, key))
        if kept is None:
            return
        if answer is None:
            session.delete(kept)
            return
        if answer.status >= 500:
            kept.begun -= ABANDONED_AFTER
            return
        kept.status, kept.body = answer.status, answer.body


def _busy() -> IdempotencyError:
    sentence = "the request with this Idempotency-Key has not ended yet; ask again in a moment"
    return IdempotencyError(sentence, busy=True)
