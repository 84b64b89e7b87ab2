"""How far ahead of its turn a run may go: by what asked for it, and by its priority.

Called by shares when a job enters the queue. Both head starts are bounded, so nothing waits for ever behind what
comes later. It reads no record.
"""

from dataclasses import dataclass

from farm_scheduler.triggers import Trigger

HOUR = 3600.0
LONGEST_PRIORITY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Urgency:
    """A head start, twice.

    Attributes:
        share: seconds of work by which its project goes before its turn among the projects.
        age: seconds by which it is taken to be older than it is, among the jobs of its own project.
    """

    share: float
    age: float


_SWEEP = Urgency(share=0.0, age=0.0)
_EVENT = Urgency(share=0.5 * HOUR, age=12 * HOUR)
_PERSON = Urgency(share=HOUR, age=24 * HOUR)


def urgency(trigger: Trigger, priority: int) -> Urgency:
    """That of a run: a person before a push, a push before a sweep; each step of priority is worth an hour more.

    Beyond 24 steps either way priority counts no further.
    """
    kind = {Trigger.PERSON: _PERSON, Trigger.SCHEDULE: _SWEEP}.get(trigger, _EVENT)
    steps = HOUR * max(-LONGEST_PRIORITY, min(LONGEST_PRIORITY, priority))
    return Urgency(share=kind.share + steps, age=kind.age + steps)
