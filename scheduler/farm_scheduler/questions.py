"""Questions: what no file of a source tells is asked once of a machine, and the answer is kept.

Called by runs and the plan command, which ask and read, by the worker, which claims and answers, and by the sweep. A
question is a step of every run that waits for it: without one that wants it, it is not asked any further. Messages
go out after the commit. It never talks to a machine.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import Celery
from sqlmodel import Session, col, select

from farm_scheduler.built_metadata import facts_document, read_facts
from farm_scheduler.database import Database
from farm_scheduler.engine import publish_question
from farm_scheduler.host_kinds import X86_64
from farm_scheduler.plan import Note
from farm_scheduler.project_metadata import ProjectMetadata
from farm_scheduler.states import QUESTION_MOVES, QUESTION_OPEN, QuestionState, RunState, guard
from farm_scheduler.tables import Question, Run, now

MAX_TRIES = 3
"""Machines that may fail by the farm's fault before a plan goes on without the answer."""

FAILED_FOR = timedelta(hours=1)
"""How long a source that does not build is not asked again: what it needs may come to the index."""

PUBLISH_AGAIN = timedelta(seconds=60)
"""A message that came to nothing in this time is sent again; the sweep looks more often."""

WANTED_FOR = timedelta(seconds=30)
"""How long a question lives on that somebody asked without a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a question ended.

    Attributes:
        metadata: the facts; None when the guest could not tell.
        notes: what people should know of it.
    """

    metadata: ProjectMetadata | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A question that a worker has."""

    sha256: str
    system: str
    worker: str


def read_told(
    session: Session, sha256: str, system: str, facts: Sequence[str], *, since: datetime | None = None
) -> Told | None:
    """What is known of a source beyond its files; None while it has to be asked for.

    `facts` is what its files do not tell; nothing is to be asked when there are none. With `since`, a failure before
    that does not count any more, and one of the farm's own does not at all.
    """
    if not facts:
        return Told()
    question = session.get(Question, (sha256, system))
    if question is None or question.state in QUESTION_OPEN:
        return None
    if question.state is QuestionState.ANSWERED:
        metadata = read_facts(question.answer)
        reason = f"a machine of {system} was asked for {', '.join(facts)}: {_summary(metadata)}"
        return Told(metadata=metadata, notes=(Note(environment=None, reason=reason),))
    if since is not None and (question.updated < since or question.tries >= MAX_TRIES):
        return None
    reason = f"planned without knowing {', '.join(facts)}, as {question.reason}"
    return Told(notes=(Note(environment=None, reason=reason),))


def progress(session: Session, sha256: str, system: str) -> str | None:
    """How far it is; None when it has an end."""
    question = session.get(Question, (sha256, system))
    if question is None or question.state not in QUESTION_OPEN:
        return None
    return question.note or "waiting for a worker"


def ask(
    database: Database,
    app: Celery,
    sha256: str,
    system: str,
    *,
    anew: bool,
    for_a_plan: bool = False,
    kind: str = X86_64,
) -> None:
    """Have it asked by a host of a kind, unless it is on its way or answered; with `anew` also when it failed before.

    With `for_a_plan` no run waits for it: call this again within `WANTED_FOR` for as long as it is wanted.

    Raises:
        EngineError: Redis does not answer; the sweep tries again for a run.
    """
    with database.write() as session:
        question = session.get(Question, (sha256, system)) or Question(source_sha256=sha256, system=system)
        if question.state is QuestionState.FAILED and anew:
            _move(question, QuestionState.WAITING)
            question.tries, question.published = 0, None
        if question.state not in QUESTION_OPEN:
            return
        if for_a_plan:
            question.wanted_until = now() + WANTED_FOR
        due = question.published is None or now() - question.published > PUBLISH_AGAIN
        publish = due and question.state is QuestionState.WAITING
        if publish:
            question.published = now()
        session.add(question)
    if publish:
        publish_question(app, sha256, system, kind)


def stop_wanting(database: Database, sha256: str, system: str) -> None:
    """Say that a plan does not wait for it any more."""
    with database.write() as session:
        question = session.get(Question, (sha256, system))
        if question is not None:
            question.wanted_until = None


def claim_question(
    database: Database, sha256: str, system: str, *, worker: str, lease_seconds: float
) -> Asking | None:
    """Take a question that waits and is wanted; None when another has it, or nobody wants it."""
    with database.write() as session:
        question = session.get(Question, (sha256, system))
        if question is None or question.state is not QuestionState.WAITING or not _wanted(session, question):
            return None
        _move(question, QuestionState.ASKING, note="waiting for a machine")
        question.worker = worker
        question.lease_expires = now() + timedelta(seconds=lease_seconds)
        return Asking(sha256=sha256, system=system, worker=worker)


def keep_question(database: Database, asking: Asking, *, lease_seconds: float, note: str) -> bool:
    """Say that it is being asked, and how far that is; whether somebody still wants to know."""
    with database.write() as session:
        question = _owned(session, asking)
        if question is None or not _wanted(session, question):
            return False
        question.note, question.lease_expires = note, now() + timedelta(seconds=lease_seconds)
        return True


def answer_question(database: Database, asking: Asking, metadata: ProjectMetadata) -> None:
    """Keep the answer; one that comes too late is dropped."""
    with database.write() as session:
        question = _owned(session, asking)
        if question is not None:
            _move(question, QuestionState.ANSWERED)
            question.answer = facts_document(metadata)


def fail_question(database: Database, asking: Asking, reason: str, *, farms_fault: bool) -> None:
    """Note why there is no answer. After a fault of the farm it is asked again, a few times."""
    with database.write() as session:
        question = _owned(session, asking)
        if question is None:
            return
        question.tries += farms_fault
        again = farms_fault and question.tries < MAX_TRIES
        _move(question, QuestionState.WAITING if again else QuestionState.FAILED)
        question.reason, question.published = reason, None


def release_question(database: Database, asking: Asking) -> None:
    """Give it back unanswered: nobody wants it now, or the worker ends."""
    with database.write() as session:
        question = _owned(session, asking)
        if question is not None:
            _move(question, QuestionState.WAITING)
            question.published = None


def expire_questions(database: Database, *, dead_workers: Collection[str] = frozenset()) -> None:
    """Take back the questions whose worker says nothing any more, or is known to be dead."""
    with database.write() as session:
        for question in session.exec(select(Question).where(Question.state == QuestionState.ASKING)):
            silent = question.lease_expires is None or question.lease_expires < now()
            if silent or question.worker in dead_workers:
                _move(question, QuestionState.WAITING)
                question.published = None


def asking_workers(session: Session) -> set[str]:
    """The workers that have a question."""
    return set(session.exec(select(Question.worker).where(Question.state == QuestionState.ASKING)))


def _owned(session: Session, asking: Asking) -> Question | None:
    question = session.get(Question, (asking.sha256, asking.system))
    mine = question is not None and (question.state, question.worker) == (
        QuestionState.ASKING,
        asking.worker,
    )
    return question if mine else None


def _wanted(session: Session, question: Question) -> bool:
    if question.wanted_until is not None and question.wanted_until > now():
        return True
    chosen = select(Run.id).where(
        Run.state == RunState.PLANNED, col(Run.source_sha256) == question.source_sha256
    )
    return session.exec(chosen.limit(1)).first() is not None


def _move(question: Question, state: QuestionState, note: str = "") -> None:
    guard(QUESTION_MOVES, question.state, state, f"the question on source {question.source_sha256[:12]}")
    question.state, question.note, question.updated = state, note, now()
    question.worker, question.lease_expires = "", None


def _summary(metadata: ProjectMetadata) -> str:
    count = len(metadata.classifiers)
    parts = [
        f"requires-python {metadata.requires_python}" if metadata.requires_python else "no requires-python",
        f"{count} classifier" + ("" if count == 1 else "s"),
        f"extras {', '.join(metadata.extras[:10])}" if metadata.extras else "no extras",
    ]
    return ", ".join(parts)
