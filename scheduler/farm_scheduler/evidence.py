"""The evidence of one attempt: what its stream said, in the form that the verdict is read from.

Made by results out of the stream, read by judgement. Data only; it never decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from farm_scheduler.tox_report import ToxReport

StepKey = tuple[str | None, str]
"""Environment (None for the whole job) and step id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEntry:
    """One command of an environment, as the guest's tox plugin saw it.

    Attributes:
        name: its place, `commands[0]`.
        failed: it failed by tox's rules, `!` and retries considered.
        ignored: it failed, and tox was told not to mind.
        missing: the program from outside of the environment that it asked for, and that its machine does not have.
    """

    name: str
    command: str
    exit_code: int | None
    failed: bool
    ignored: bool
    missing: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """The guest's last word: `job.json`.

    Attributes:
        limit: the resource that ran out (`time`, `log`, …), or None.
        seconds: what each part of the job cost.
    """

    exit_code: int | None = None
    signal: int | None = None
    limit: str | None = None
    cancelled: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCounts:
    """How many tests ended how."""

    __test__ = False  # pytest would take the name for a test class

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    other: int = 0
    total: int = 0

    @property
    def done(self) -> int:
        """Tests with a final status."""
        return self.passed + self.failed + self.skipped + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a verdict may depend on.

    Attributes:
        environments: what the job was asked to run, in order.
        statuses: the last status of each step.
        reasons: why a step ended as it did, where it said so.
        commands: by environment.
        counts: over all environments.
        failing: `(environment, test)`, the first ones.
        unfinished: tests that began and never ended, or not before their environment did.
        never_ran: tests that were found and never began.
        all_skipped: environments with tests of which none passed and none failed, and how many there were.
        idle: `(environment, runner)`: runs of pytest or unittest that came to their end and reported no test.
        report: tox's result file, None when it never came.
        end: the guest's last word, None when the stream ended before it.
        farm_error: what the farm's own code in the guest said.
        unreachable: by environment (None for tox's own provisioning), the host names that it asked for and told of in
            its log; no machine reaches them.
        host_limit: the resource that ran out on the host's side: `time`, `stream`, `tests`.
    """

    environments: tuple[str, ...]
    statuses: Mapping[StepKey, str] = field(default_factory=dict)
    reasons: Mapping[StepKey, str] = field(default_factory=dict)
    commands: Mapping[str, tuple[CommandEntry, ...]] = field(default_factory=dict)
    counts: TestCounts = TestCounts()
    failing: tuple[tuple[str, str], ...] = ()
    unfinished: tuple[tuple[str, str], ...] = ()
    never_ran: tuple[tuple[str, str], ...] = ()
    all_skipped: Mapping[str, int] = field(default_factory=dict)
    idle: tuple[tuple[str, str], ...] = ()
    report: ToxReport | None = None
    end: JobEnd | None = None
    farm_error: str | None = None
    unreachable: Mapping[str | None, tuple[str, ...]] = field(default_factory=dict)
    host_limit: str | None = None
