"""The verdicts: one exact word for what became of a cell, and what each word means.

Called by results, jobs, the doors and the windows. Cancelled is a state, not a verdict. Nothing else in the
farm decides what is green.
"""

from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of a job, an attempt or a cell; the value is the exact word that people see."""

    PASSED = "passed"
    BUILT = "built"
    FAILED = "failed"
    FLAKY = "flaky"
    BUILD_FAILED = "build-failed"
    INSTALL_FAILED = "install-failed"
    NO_TESTS = "no-tests"
    UNSUPPORTED = "unsupported"
    TIMED_OUT = "timed-out"
    LIMIT_EXCEEDED = "limit-exceeded"
    POLICY_FAILED = "policy-failed"
    LOST = "lost"
    EXPECTED_FAILURE = "expected-failure"
    FARM_ERROR = "farm-error"

    @property
    def green(self) -> bool:
        """Whether the word may be shown in green: only `passed` and `built`."""
        return self in GREEN

    @property
    def meaning(self) -> str:
        """One line for a person who sees the word for the first time."""
        return MEANINGS[self]


UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 (a word for people)
"""What people see of a cell that is green, and that the project expects to fail: no verdict, and not green."""

GREEN = frozenset({Verdict.PASSED, Verdict.BUILT})

MEANINGS = {
    Verdict.PASSED: "tests ran, and all of them passed",
    Verdict.BUILT: "the wheel was built",
    Verdict.FAILED: "a test or a command of the project failed",
    Verdict.FLAKY: "the result differed on a second try",
    Verdict.BUILD_FAILED: "the project's package could not be built",
    Verdict.INSTALL_FAILED: "an environment could not be made or its dependencies not installed",
    Verdict.NO_TESTS: "everything ran, and no test did",
    Verdict.UNSUPPORTED: "the farm cannot offer what the cell needs; the reason is given",
    Verdict.TIMED_OUT: "the time for the job ran out",
    Verdict.LIMIT_EXCEEDED: "a limit other than time was reached; the resource is named",
    Verdict.POLICY_FAILED: "it works, but a rule of the farm forbids it",
    Verdict.LOST: "the stream ended inside a test: the interpreter or the machine died",
    Verdict.EXPECTED_FAILURE: "it failed, as the project declares",
    Verdict.FARM_ERROR: "the farm's own fault; tried again, never blamed on the project",
}
