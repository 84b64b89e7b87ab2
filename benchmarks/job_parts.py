"""Where the time of one job went: what the project's own installs and commands took, and the parts of the rest.

Called by `overhead`. Read from the evidence alone: the attempt in the record, the stored stream, and tox's own result
file in it, which has the seconds of every process that tox started.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from farm_images.subunit_stream import Decoder, Event
from farm_images.wire import (
    ID_COMMANDS,
    ID_CREATE,
    ID_INSTALL,
    ID_JOB,
    ID_PACKAGE,
    ID_SOURCE,
    ID_TOX,
)
from farm_scheduler.tables import Attempt

OURS = ("freeze",)
"""What tox starts for its own result file: not asked for by the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobParts:
    """Seconds of one job.

    Attributes:
        total: from the claim of the job to its verdict in the record.
        own: the project's installs, builds and commands.
        parts: what the farm added, in order; their sum is total less own.
    """

    total: float
    own: float
    parts: Mapping[str, float]

    @property
    def added(self) -> float:
        """What the farm added, tox's own start and work included."""
        return self.total - self.own


def job_parts(attempt: Attempt, stream: bytes) -> JobParts:
    """The parts of a job that passed.

    Raises:
        LookupError: the stream lacks a step that such a job has.
    """
    steps = _Steps(Decoder().feed(stream))
    own = _own_seconds(steps.result)
    assert attempt.finished is not None, "the job has ended"
    total = (attempt.finished - attempt.leased).total_seconds()
    begin, end = steps.span(ID_TOX)
    made, done = steps.first(ID_CREATE), steps.last(ID_COMMANDS)
    lease, source = attempt.seconds["lease"], steps.seconds(ID_SOURCE)
    parts = {
        "lease: a machine that answers": lease,
        "source: sent, unpacked": source,
        "tox: start, until it makes an environment": (made - begin).total_seconds(),
        "tox: making the environment": steps.seconds(ID_CREATE),
        "tox: around the build (its environment)": steps.seconds(ID_PACKAGE) - own["package"],
        "tox: around the installs": steps.seconds(ID_INSTALL) - own["install"],
        "tox: around the commands": steps.seconds(ID_COMMANDS) - own["commands"],
        "tox: end": (end - done).total_seconds(),
    }
    everything = total - sum(own.values())
    parts["sending, recording and the rest"] = everything - sum(parts.values())
    return JobParts(total=total, own=sum(own.values()), parts=parts)


def _own_seconds(result: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of the processes that tox started for the project, by the step that they belong to."""
    seconds = {"package": 0.0, "install": 0.0, "commands": 0.0}
    for name, table in result["testenvs"].items():
        for each in [*table.get("setup", ()), *table.get("test", ())]:
            run_id = str(each["run_id"])
            if run_id in OURS:
                continue
            if name.startswith(".pkg"):
                seconds["package"] += each["elapsed"]
            else:
                seconds["commands" if run_id.startswith("commands") else "install"] += each["elapsed"]
    return seconds


class _Steps:
    """The steps of a stream by their times."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._times: dict[str, list[datetime]] = {}
        result = b""
        for event in events:
            if event.test_id == ID_TOX and event.file_name == "tox-result.json":
                result += event.file_bytes or b""
            if event.test_id and event.status and event.timestamp and not event.runnable:
                self._times.setdefault(event.test_id, []).append(event.timestamp)
        self.result: dict[str, Any] = json.loads(result)
        self.last(ID_JOB)

    def first(self, step: str) -> datetime:
        return self._times[step][0]

    def last(self, step: str) -> datetime:
        return self._times[step][-1]

    def span(self, step: str) -> tuple[datetime, datetime]:
        return self.first(step), self.last(step)

    def seconds(self, step: str) -> float:
        """From begin to end, summed up over all times that the step was taken; 0 when it never was."""
        times = self._times.get(step, [])
        return sum((end - begin).total_seconds() for begin, end in zip(times[::2], times[1::2], strict=True))
