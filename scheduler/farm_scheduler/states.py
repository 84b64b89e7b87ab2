"""The states of runs, jobs, attempts, images and questions, and the moves between them, as data.

Called by jobs and runs, which guard every change with `allowed`, and by tests, which walk the tables. The
database is never touched here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from farm_scheduler.errors import StateError

State = TypeVar("State", bound=StrEnum)


class RunState(StrEnum):
    """Where a run stands."""

    PLANNED = "planned"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """Where a job stands; between `leased` and `finishing` an attempt works on it. `held` waits for its parent."""

    HELD = "held"
    QUEUED = "queued"
    LEASED = "leased"
    BOOTING = "booting"
    RUNNING = "running"
    FINISHING = "finishing"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class AttemptState(StrEnum):
    """Where one try of a job stands."""

    LEASED = "leased"
    BOOTING = "booting"
    RUNNING = "running"
    FINISHING = "finishing"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class ImageState(StrEnum):
    """Where an image of this host stands."""

    MISSING = "missing"
    BAKING = "baking"
    READY = "ready"
    FAILED = "failed"


class QuestionState(StrEnum):
    """Where a question to a guest stands."""

    WAITING = "waiting"
    ASKING = "asking"
    ANSWERED = "answered"
    FAILED = "failed"


RUN_MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.PLANNED: frozenset(
        {RunState.QUEUED, RunState.FINISHED, RunState.CANCELLING, RunState.CANCELLED}
    ),
    RunState.QUEUED: frozenset(
        {RunState.RUNNING, RunState.FINISHED, RunState.CANCELLING, RunState.CANCELLED}
    ),
    RunState.RUNNING: frozenset({RunState.FINISHED, RunState.CANCELLING}),
    RunState.CANCELLING: frozenset({RunState.CANCELLED}),
    RunState.FINISHED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

_ENDS = frozenset({JobState.FINISHED, JobState.CANCELLED})
_RETRY = frozenset({JobState.QUEUED})

JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    JobState.HELD: _RETRY | _ENDS,
    JobState.QUEUED: frozenset({JobState.LEASED}) | _ENDS,
    JobState.LEASED: frozenset({JobState.BOOTING}) | _ENDS | _RETRY,
    JobState.BOOTING: frozenset({JobState.RUNNING}) | _ENDS | _RETRY,
    JobState.RUNNING: frozenset({JobState.FINISHING}) | _ENDS | _RETRY,
    JobState.FINISHING: _ENDS | _RETRY,
    JobState.FINISHED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

ATTEMPT_MOVES: Mapping[AttemptState, frozenset[AttemptState]] = {
    AttemptState.LEASED: frozenset({AttemptState.BOOTING, AttemptState.FINISHED, AttemptState.CANCELLED}),
    AttemptState.BOOTING: frozenset({AttemptState.RUNNING, AttemptState.FINISHED, AttemptState.CANCELLED}),
    AttemptState.RUNNING: frozenset({AttemptState.FINISHING, AttemptState.FINISHED, AttemptState.CANCELLED}),
    AttemptState.FINISHING: frozenset({AttemptState.FINISHED, AttemptState.CANCELLED}),
    AttemptState.FINISHED: frozenset(),
    AttemptState.CANCELLED: frozenset(),
}

QUESTION_MOVES: Mapping[QuestionState, frozenset[QuestionState]] = {
    QuestionState.WAITING: frozenset({QuestionState.ASKING}),
    QuestionState.ASKING: frozenset({QuestionState.WAITING, QuestionState.ANSWERED, QuestionState.FAILED}),
    QuestionState.ANSWERED: frozenset(),
    QuestionState.FAILED: frozenset({QuestionState.WAITING}),
}

RUN_ENDED = frozenset({RunState.FINISHED, RunState.CANCELLED})
JOB_ENDED = _ENDS
JOB_WAITS = frozenset({JobState.HELD, JobState.QUEUED})
JOB_AT_WORK = frozenset({JobState.LEASED, JobState.BOOTING, JobState.RUNNING, JobState.FINISHING})
QUESTION_OPEN = frozenset({QuestionState.WAITING, QuestionState.ASKING})
ATTEMPT_ENDED = frozenset({AttemptState.FINISHED, AttemptState.CANCELLED})


def allowed(moves: Mapping[State, frozenset[State]], here: State, there: State) -> bool:
    """Whether `here` may become `there`; staying is allowed: a repeated message changes nothing."""
    return here == there or there in moves[here]


def guard(moves: Mapping[State, frozenset[State]], here: State, there: State, what: str) -> None:
    """Refuse a move that the table does not hold.

    Args:
        moves: one of the tables of this module.
        here: the state now.
        there: the state asked for.
        what: the thing that moves, for the sentence: `job j-…`.

    Raises:
        StateError: the move is not allowed.
    """
    if not allowed(moves, here, there):
        sentence = f"{what} is {here} and cannot become {there}; read it again before changing it"
        raise StateError(sentence, what=what, here=str(here), there=str(there))
