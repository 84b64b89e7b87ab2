"""Where the time of a host's machines went during one run: arithmetic on the times that the record has.

Called by `matrix`. The ideal is that machines do nothing but steps of jobs, all of them until the end. What is missing
to it is told by parts, in seconds of machines, so that the parts and the steps add up to the wall time of all machines.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from farm_scheduler.tables import Attempt

STEPS = ("guest source", "guest tox")
"""The outer steps of a job as its guest measured them: source unpacked, and tox with all that is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineTime:
    """Seconds of one run.

    Attributes:
        wall: from the first claim to the last end.
        steps: the steps' times of all jobs together.
        machines: how many could work at a time.
        parts: in order, what the machines' time besides the steps went to.
    """

    wall: float
    steps: float
    machines: int
    parts: Mapping[str, float]

    @property
    def ideal(self) -> float:
        """The wall time of machines that do nothing but steps."""
        return self.steps / self.machines

    @property
    def ratio(self) -> float:
        """How many times as long as the ideal it took."""
        return self.wall / self.ideal


def machine_time(attempts: Sequence[Attempt], last: frozenset[str], machines: int) -> MachineTime:
    """The time of a run from its attempts; `last` are the ids of those whose verdict counts.

    What came before a job's last attempt is no step of it: the farm did that for nothing.

    Raises:
        LookupError: no attempt has both ended and run its steps.
    """
    ended = [(each, each.finished) for each in attempts if each.finished is not None]
    counted = [each for each, _ in ended if each.id in last and all(step in each.seconds for step in STEPS)]
    if not counted:
        raise LookupError("no job of the run has run its steps to their end")
    spans = [(each.leased, finish) for each, finish in ended]
    wall = (max(end for _, end in spans) - min(begin for begin, _ in spans)).total_seconds()
    steps = sum(each.seconds[step] for each in counted for step in STEPS)
    parts = _at_work([(each, finish) for each, finish in ended if each in counted])
    parts["tries that came to nothing"] = sum(
        (finish - each.leased).total_seconds() for each, finish in ended if each not in counted
    )
    waiting, over = _idle(spans, machines)
    parts["without a job while jobs waited"] = waiting
    parts["without a job at the end"] = over
    return MachineTime(wall=wall, steps=steps, machines=machines, parts=parts)


def _at_work(counted: Sequence[tuple[Attempt, datetime]]) -> dict[str, float]:
    """What jobs took besides their steps."""
    waited = cloned = talked = rest = 0.0
    for attempt, finish in counted:
        seconds = attempt.seconds
        made = min(seconds.get("answered", 0.0), seconds["lease"])
        steps = sum(seconds[step] for step in STEPS)
        cloned += made
        waited += seconds["lease"] - made
        talked += seconds["machine"] - steps
        rest += (finish - attempt.leased).total_seconds() - seconds["lease"] - seconds["machine"]
    return {
        "waiting for a machine": waited,
        "making it, until it answers": cloned,
        "sending the job, reading its stream": talked,
        "verdict and record": rest,
    }


def _idle(spans: Sequence[tuple[datetime, datetime]], machines: int) -> tuple[float, float]:
    """Seconds of machines without a job: before the last claim, when jobs waited, and after it."""
    last_claim = max(begin for begin, _ in spans)
    moments = sorted({moment for span in spans for moment in span})
    waiting = over = 0.0
    for here, there in itertools.pairwise(moments):
        busy = sum(begin <= here < end for begin, end in spans)
        idle = max(0, machines - busy) * (there - here).total_seconds()
        if here < last_claim:
            waiting += idle
        else:
            over += idle
    return waiting, over
