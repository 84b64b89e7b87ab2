"""What the project expects of a cell, set against what was found: the job's verdict, from that of its last attempt.

Called by claims when a job ends. The attempt keeps the verdict of its evidence: only the job's word changes, and
nothing is ever made green here.
"""

from farm_scheduler.judgement import Judgement
from farm_scheduler.verdicts import Verdict

FAILURES = frozenset(
    {
        Verdict.FAILED,
        Verdict.FLAKY,
        Verdict.BUILD_FAILED,
        Verdict.INSTALL_FAILED,
        Verdict.TIMED_OUT,
        Verdict.LIMIT_EXCEEDED,
        Verdict.LOST,
    }
)
"""Verdicts that a project may expect; the farm's own fault is none of them."""


def against_expectation(found: Judgement, expected: Verdict, why: str | None) -> Judgement:
    """The judgement of a job whose cell expects a verdict, with the project's reason for that.

    An expected failure has that verdict and both reasons. One that passed keeps its word, and the reason says that
    the declaration is out of date; the run is then not as expected.
    """
    if expected is not Verdict.EXPECTED_FAILURE:
        return found
    declared = f"the project expects a failure: {why}" if why else "the project expects a failure"
    if found.verdict in FAILURES:
        details = f" ({found.verdict.value}: {found.reason})" if found.reason else f" ({found.verdict.value})"
        return Judgement(verdict=Verdict.EXPECTED_FAILURE, reason=declared + details)
    if found.verdict.green:
        reason = f"unexpectedly {found.verdict.value}: {declared}; take the entry out of [tool.wheelfarm]"
        return Judgement(verdict=found.verdict, reason=reason)
    return found
