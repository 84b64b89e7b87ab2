"""Results: consumes the stream of one attempt and knows at any moment what it said so far.

Called by the worker that runs a job, and by a replay of stored evidence. The stream is hostile: everything kept
is bounded. It touches neither the record nor the machine, and never decides a verdict.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from farm_images.subunit_stream import Event
from farm_images.wire import ID_ERROR, ID_JOB, ID_NETWORK, ID_TOX
from farm_scheduler.attachments import Attachments, read_commands, read_job_end, text_of
from farm_scheduler.evidence import Evidence, JobEnd, StepKey, TestCounts
from farm_scheduler.names_asked import NamesAsked
from farm_scheduler.tox_report import read_report

MAX_TESTS = 200_000
"""Test results of one attempt; more ends it with limit-exceeded."""

MAX_MESSAGE = 16 << 10
"""Bytes of what a test said that the record keeps; the stream has all of it."""

MAX_NAMED = 50
"""Failing and unfinished tests that the evidence names."""

MAX_STEPS = 10_000
"""Steps of one attempt that are kept, each as often as it begins; the end of the job is always heard."""

MAX_NOW = 200
"""Characters of what runs now."""

FINAL = frozenset({"success", "uxsuccess", "skip", "fail", "xfail"})
RUNNING = "inprogress"
_COUNTED = {"success": "passed", "fail": "failed", "skip": "skipped", "xfail": "other", "uxsuccess": "other"}
_MESSAGES = ("traceback", "reason")
_REASONS = ("reason", "text", "traceback", "error")

_FIXTURE = re.compile(r"setUp(?:Class|Module) \((.+)\)")
_RUNNER = re.compile(r"(?:pytest|unittest) \(process [0-9]+\)")
"""What unittest calls a fixture of a class or a module in its results; a skipped one skips all tests below it."""

TestKey = tuple[str, str]
"""Environment and test id."""


@dataclass(slots=True, kw_only=True)
class StepResult:
    """One step; `row` is its id in the record once it is there."""

    environment: str | None
    name: str
    status: str
    started: datetime | None = None
    finished: datetime | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test that ended, or (`inprogress`) never did; `position` counts the results of the attempt from 0."""

    __test__ = False  # pytest would take the name for a test class

    environment: str
    name: str
    status: str
    seconds: float | None
    message: str | None
    position: int


class Results:
    """The state of one stream. Feed it events in order; then ask.

    Attributes:
        environments: what the job was asked to run.
        now: what runs, in words for a person; None before the first step.
        end: the guest's last word, once it came.
        too_many: whether there were more tests than are kept.
    """

    def __init__(self, environments: Iterable[str]) -> None:
        self.environments = tuple(environments)
        self.now: str | None = None
        self.end: JobEnd | None = None
        self.too_many = False
        self._environment: str | None = None
        self._files = Attachments()
        self._names = NamesAsked()
        self._steps: dict[StepKey, StepResult] = {}
        self._begun = 0
        # By identity: a step may come again before its first time is taken.
        self._changed: dict[int, StepResult] = {}
        self._known: set[TestKey] = set()
        self._waiting: dict[TestKey, None] = {}
        self._skipped_fixtures: set[str] = set()
        self._open: dict[TestKey, datetime | None] = {}
        self._unfinished: list[TestKey] = []
        self._failing: list[TestKey] = []
        self._idle: list[TestKey] = []
        self._ended: list[TestResult] = []
        self._positions = 0
        self._ran: set[str] = set()
        self._other: dict[str, int] = {}
        self._tally = {"passed": 0, "failed": 0, "skipped": 0, "other": 0}

    @property
    def counts(self) -> TestCounts:
        """Tests so far; `total` counts those that are only announced as well."""
        return TestCounts(**self._tally, total=max(len(self._known), sum(self._tally.values())))

    def feed(self, events: Iterable[Event]) -> None:
        """Take in events; those after the guest's last word are ignored."""
        for event in events:
            if self.end is not None or event.test_id is None:
                continue
            if event.test_id.startswith("farm:") and not event.runnable:
                self._step_event(event, (event.route_code, event.test_id))
            else:
                self._test_event(event, (event.route_code or "", event.test_id))

    def take_steps(self) -> list[StepResult]:
        """The steps that are new or changed since the last call."""
        changed = list(self._changed.values())
        self._changed.clear()
        return changed

    def take_tests(self) -> list[TestResult]:
        """The tests that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """End of stream: what is still running never ended."""
        for key in list(self._open):
            self._unfinished.append(key)
            self._record(key, RUNNING, None)
        self._open.clear()

    def evidence(self, host_limit: str | None = None) -> Evidence:
        """What the verdict is read from."""
        commands = self._files.named("commands.json")
        report = self._files.content((None, ID_TOX, "tox-result.json"))
        return Evidence(
            environments=self.environments,
            statuses={key: step.status for key, step in self._steps.items()},
            reasons={key: self._reason(key) for key in self._steps},
            commands={place[0]: read_commands(content) for place, content in commands.items() if place[0]},
            counts=self.counts,
            failing=tuple(self._failing),
            # A test says more than the run of pytest that it was part of.
            unfinished=tuple(sorted([*self._unfinished, *self._open], key=_is_run)[:MAX_NAMED]),
            report=read_report(report) if report else None,
            end=self.end,
            never_ran=self._never_ran(),
            all_skipped={name: count for name, count in self._other.items() if name not in self._ran},
            idle=tuple(self._idle),
            farm_error=self._farm_error(),
            unreachable=self._names.told(),
            host_limit=host_limit or ("tests" if self.too_many else None),
        )

    def _never_ran(self) -> tuple[TestKey, ...]:
        """Tests that were found and neither began nor ended, but for those below a skipped fixture of unittest."""
        skipped = tuple(self._skipped_fixtures)
        waiting = (key for key in self._waiting if key not in self._open and not key[1].startswith(skipped))
        return tuple(waiting)

    def _farm_error(self) -> str | None:
        key = next((key for key in self._steps if key[1] == ID_ERROR), None)
        return None if key is None else self._reason(key) or "the farm's agent in the machine failed"

    def _reason(self, key: StepKey) -> str:
        contents = (self._files.content((*key, name)) for name in _REASONS)
        return text_of(next(filter(None, contents), b""), MAX_MESSAGE)

    def _step_event(self, event: Event, key: StepKey) -> None:
        if event.file_name is not None and event.file_bytes is not None:
            self._step_file(key, event.file_name, event.file_bytes)
        if event.status is None or event.status == "exists":
            if key[1] == ID_ERROR and key not in self._steps:
                self._steps[key] = StepResult(environment=key[0], name=key[1], status="fail")
            return
        if key not in self._steps and self._begun >= MAX_STEPS and key[1] != ID_JOB:
            return
        self._step_status(event, key, event.status)
        if key[1] == ID_JOB and event.status in FINAL:
            self.end = read_job_end(self._files.content((*key, "job.json")))

    def _step_file(self, key: StepKey, name: str, content: bytes) -> None:
        if name == "log":
            self._names.log(content)
        elif key[1] == ID_NETWORK:
            self._names.ask(self._environment, content)
        else:
            self._files.add((*key, name), content)

    def _step_status(self, event: Event, key: StepKey, status: str) -> None:
        step = self._steps.get(key)
        begins = status == RUNNING and (step is None or step.status != RUNNING)
        if step is None or (begins and self._begun < MAX_STEPS):
            self._begun += 1
            step = StepResult(environment=key[0], name=key[1], status=status, started=event.timestamp)
            self._steps[key] = step
        step.status = status
        self._environment = key[0]
        if status in FINAL:
            step.finished = event.timestamp
        else:
            word = key[1].removeprefix("farm:")
            self.now = f"{key[0]}: {word}" if key[0] else word
        self._changed[id(step)] = step

    def _test_event(self, event: Event, key: TestKey) -> None:
        if event.file_name in _MESSAGES and event.file_bytes is not None:
            self._files.add((*key, "message"), event.file_bytes[-MAX_MESSAGE:])
        if event.status is None:
            return
        if event.runnable and key not in self._known:
            if len(self._known) >= MAX_TESTS:
                self.too_many = True
                return
            self._known.add(key)
            self._waiting[key] = None
        if event.status == RUNNING:
            self._open.pop(key, None)
            self._open[key] = event.timestamp
            self.now = f"{key[0]}: {key[1]}"[:MAX_NOW]
        elif event.status in FINAL:
            self._end_test(event, key, event.status)

    def _end_test(self, event: Event, key: TestKey, status: str) -> None:
        started = self._open.pop(key, None)
        self._waiting.pop(key, None)
        if status == "skip" and (fixture := _FIXTURE.fullmatch(key[1])):
            self._skipped_fixtures.add(f"{fixture[1]}.")
        if not event.runnable and status != "fail":
            self._files.take((*key, "message"))
            if status == "skip" and _is_run(key) and len(self._idle) < MAX_NAMED:
                self._idle.append(key)
            return  # a subtest that went well is part of its test
        if self._positions >= MAX_TESTS:
            self.too_many = True
            return
        self._tally[_COUNTED[status]] += 1
        self._count_for(key[0], _COUNTED[status])
        if status == "fail" and len(self._failing) < MAX_NAMED:
            self._failing.append(key)
        finished = event.timestamp
        seconds = (finished - started).total_seconds() if started and finished else None
        self._record(key, status, seconds)

    def _count_for(self, environment: str, counted: str) -> None:
        if counted in {"passed", "failed"}:
            self._ran.add(environment)
        elif environment in self.environments:
            self._other[environment] = self._other.get(environment, 0) + 1

    def _record(self, key: TestKey, status: str, seconds: float | None) -> None:
        message = text_of(self._files.take((*key, "message")), MAX_MESSAGE)
        self._ended.append(
            TestResult(
                environment=key[0],
                name=key[1],
                status=status,
                seconds=None if seconds is None else max(0.0, seconds),
                message=message or None,
                position=self._positions,
            )
        )
        self._positions += 1


def _is_run(key: TestKey) -> bool:
    """Whether this is a whole run of a test runner, which the plugins tell of as well."""
    return _RUNNER.fullmatch(key[1]) is not None
