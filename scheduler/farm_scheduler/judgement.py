"""The verdict: from the evidence of an attempt to one exact word and one sentence.

Called by whoever ran or replays an attempt. Pure: the same evidence gives the same verdict. It never trusts
tox's exit code alone, and never says `passed` unless a test ran and passed and nothing was hidden.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from farm_scheduler.evidence import CommandEntry, Evidence
from farm_scheduler.verdicts import Verdict

CREATE, INSTALL, PACKAGE = "farm:create", "farm:install", "farm:package"
COMMANDS, PROVISION, PACKAGES = "farm:commands", "farm:provision", "farm:system-packages"
SOURCE = "farm:source"
NOTHING_COLLECTED = 5
"""Exit code of pytest when there was no test (pytest.ExitCode.NO_TESTS_COLLECTED), and of unittest since 3.12."""

_MISSING = ("could not find python interpreter", "interpreternotfound", "no interpreter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and the sentence that gives the reason; None for `passed`, which needs none."""

    verdict: Verdict
    reason: str | None = None


def judge(evidence: Evidence) -> Judgement:
    """The verdict of an attempt; the first rule that applies decides."""
    for rule in RULES:
        judgement = rule(evidence)
        if judgement is not None:
            return judgement
    return Judgement(verdict=Verdict.PASSED)


def _limits(evidence: Evidence) -> Judgement | None:
    limit = evidence.host_limit or (evidence.end.limit if evidence.end else None)
    if limit is None:
        return None
    where = _where(evidence)
    if limit == "time":
        return Judgement(verdict=Verdict.TIMED_OUT, reason=f"the time for the job ran out{where}")
    return Judgement(verdict=Verdict.LIMIT_EXCEEDED, reason=f"the limit on {limit} was reached{where}")


def _farm_error(evidence: Evidence) -> Judgement | None:
    if evidence.farm_error is None:
        return None
    return Judgement(verdict=Verdict.FARM_ERROR, reason=evidence.farm_error)


def _lost(evidence: Evidence) -> Judgement | None:
    if evidence.unfinished:
        environment, test = evidence.unfinished[0]
        return Judgement(verdict=Verdict.LOST, reason=f"{environment}: {test} began and never ended")
    if evidence.end is None:
        reason = f"the machine's stream ended before the job did{_where(evidence)}"
        return Judgement(verdict=Verdict.FARM_ERROR, reason=reason)
    if evidence.end.signal is not None:
        reason = f"tox was killed by signal {evidence.end.signal}{_where(evidence)}"
        return Judgement(verdict=Verdict.LOST, reason=reason)
    return None


def _failing_tests(evidence: Evidence) -> Judgement | None:
    if not evidence.counts.failed and not evidence.failing:
        return None
    environment, test = evidence.failing[0] if evidence.failing else ("?", "a test")
    more = evidence.counts.failed - 1
    rest = f", and {more} more" if more > 0 else ""
    named = {each for each, _ in evidence.failing}
    found = [_environment(evidence, name) for name in evidence.environments if name not in named]
    others = _others([each for each in found if each])
    return Judgement(verdict=Verdict.FAILED, reason=f"{environment}: {test} failed{rest}{others}")


def _needs_network(evidence: Evidence, name: str) -> Judgement | None:
    """An environment that failed without a failing test, and names in its log a host that it could not reach."""
    steps = (PACKAGE, CREATE, INSTALL, COMMANDS)
    failed = any(evidence.statuses.get((name, step)) == "fail" for step in steps)
    if not failed or not evidence.unreachable.get(name):
        return None
    reason = f"{name}: needs network: it asked for {_hosts(evidence, name)}"
    return Judgement(verdict=Verdict.UNSUPPORTED, reason=reason)


def _hosts(evidence: Evidence, name: str | None) -> str:
    first, *others = evidence.unreachable[name]
    return f"{first} and {len(others)} more" if others else first


def _before_environments(evidence: Evidence) -> Judgement | None:
    """What comes before all environments: the source, system packages, and what tox itself requires."""
    if evidence.statuses.get((None, SOURCE)) == "fail":
        said = _said(evidence, (None, SOURCE))
        return Judgement(verdict=Verdict.BUILD_FAILED, reason=f"the machine did not take the source{said}")
    if evidence.statuses.get((None, PACKAGES)) == "fail":
        said = _said(evidence, (None, PACKAGES))
        return Judgement(
            verdict=Verdict.INSTALL_FAILED, reason=f"the system packages could not be installed{said}"
        )
    if evidence.statuses.get((None, PROVISION)) != "fail":
        return None
    if evidence.unreachable.get(None):
        reason = f"needs network: what tox requires asked for {_hosts(evidence, None)}"
        return Judgement(verdict=Verdict.UNSUPPORTED, reason=reason)
    said = _said(evidence, (None, PROVISION))
    return Judgement(verdict=Verdict.INSTALL_FAILED, reason=f"tox could not provision what it requires{said}")


def _environments(evidence: Evidence) -> Judgement | None:
    """The worst that an environment came to, the first of equals: one that cannot run here hides no other's failure."""
    found = [judgement for name in evidence.environments if (judgement := _environment(evidence, name))]
    found.sort(key=lambda each: _MILD.get(each.verdict, 0))
    if not found:
        return None
    worst, *rest = found
    return Judgement(verdict=worst.verdict, reason=f"{worst.reason}{_others(rest)}")


def _others(judgements: Sequence[Judgement]) -> str:
    """What other environments came to, a few by name."""
    told = "".join(f"; {_short(each.reason or '')}" for each in judgements[:MOST_OTHERS])
    more = len(judgements) - MOST_OTHERS
    return f"{told}; and {more} more environments" if more > 0 else told


MOST_OTHERS = 3
"""Environments that a reason names beside the worst."""

_MILD = {Verdict.NO_TESTS: 1, Verdict.UNSUPPORTED: 2}


def _environment(evidence: Evidence, name: str) -> Judgement | None:
    judgements = (rule(evidence, name) for rule in _ENVIRONMENT_RULES)
    return next(filter(None, judgements), None)


def _setup(evidence: Evidence, name: str) -> Judgement | None:
    """What comes before the commands."""
    left_out = [step for step, *_ in _SETUP_STEPS if evidence.statuses.get((name, step)) == "skip"]
    if left_out or _skipped(evidence, name):
        # The interpreter that lacks may be that of the packaging environment.
        said = next(filter(None, (_said(evidence, (name, step)) for step in left_out)), "")
        said = said or ": no interpreter, or another platform"
        return Judgement(verdict=Verdict.UNSUPPORTED, reason=f"{name}: tox left it out{said}")
    for step, verdict, words in _SETUP_STEPS:
        if evidence.statuses.get((name, step)) == "fail":
            said = _said(evidence, (name, step))
            missing = step == CREATE and any(each in said.lower() for each in _MISSING)
            found = Verdict.UNSUPPORTED if missing else verdict
            return Judgement(verdict=found, reason=f"{name}: {words}{said}")
    return None


_SETUP_STEPS = (
    (PACKAGE, Verdict.BUILD_FAILED, "the project's package could not be built"),
    (CREATE, Verdict.INSTALL_FAILED, "the environment could not be made"),
    (INSTALL, Verdict.INSTALL_FAILED, "its dependencies could not be installed"),
)


def _unreported(evidence: Evidence, name: str) -> Judgement | None:
    if evidence.statuses.get((name, COMMANDS)) not in {"success", "fail"}:
        code = evidence.end.exit_code if evidence.end else None
        reason = f"tox ended with {code} before it ran {name}; its log says why"
        return Judgement(verdict=Verdict.INSTALL_FAILED, reason=reason)
    if evidence.report is None or name not in evidence.report.environments:
        return Judgement(verdict=Verdict.FARM_ERROR, reason=f"tox left no result of {name}")
    return None


def _failing_commands(evidence: Evidence, name: str) -> Judgement | None:
    code = _exit_code(evidence, name)
    if code == 0 and evidence.statuses[name, COMMANDS] == "success":
        return None
    command = min(_failed(evidence, name), key=lambda each: each.ignored, default=None)
    if command is not None and command.missing:
        lacks = f"needs {_short(command.missing)}, which the machine does not have and no package index gives"
        return Judgement(verdict=Verdict.UNSUPPORTED, reason=f"{name}: {lacks}")
    if _found_nothing(evidence, command, code):
        return Judgement(verdict=Verdict.NO_TESTS, reason=f"{name}: {_finder(command)} found no test")
    what = f"`{_short(command.command)}` ended with {command.exit_code}" if command else f"tox says {code}"
    return Judgement(verdict=Verdict.FAILED, reason=f"{name}: {what}")


def _hidden(evidence: Evidence, name: str) -> Judgement | None:
    """A failure that tox was told to ignore is not green; one that a retry mended is none."""
    mended = {each.name for each in evidence.commands.get(name, ()) if not each.failed}
    for command in _failed(evidence, name):
        if command.ignored and command.name not in mended:
            what = f"`{_short(command.command)}` ended with {command.exit_code}, which the project ignores"
            return Judgement(verdict=Verdict.FAILED, reason=f"{name}: {what}")
    return None


_ENVIRONMENT_RULES: tuple[Callable[[Evidence, str], Judgement | None], ...] = (
    _needs_network,
    _setup,
    _unreported,
    _failing_commands,
    _hidden,
)


def _never_ran(evidence: Evidence) -> Judgement | None:
    """Whoever ended the test run between two tests, with success, hid all that would have come."""
    if not evidence.never_ran or not evidence.counts.done:
        return None
    environment, test = evidence.never_ran[0]
    many = f"{len(evidence.never_ran)} of {evidence.counts.total} tests that were found never ran"
    return Judgement(verdict=Verdict.LOST, reason=f"{environment}: {many}, the first {test}")


def _skipped_whole(evidence: Evidence) -> Judgement | None:
    """An environment of which no test ran is not made green by another one."""
    if not evidence.counts.passed:
        return None
    for name, count in evidence.all_skipped.items():
        what = (
            "its only test was skipped"
            if count == 1
            else f"none of its {count} tests passed: all were skipped"
        )
        return Judgement(verdict=Verdict.NO_TESTS, reason=f"{name}: {what}, or expected to fail")
    return None


def _idle(evidence: Evidence) -> Judgement | None:
    """A test command that reports no test is not made green by the tests of another."""
    if not evidence.idle or not evidence.counts.done:
        return None
    environment, runner = evidence.idle[0]
    return Judgement(
        verdict=Verdict.NO_TESTS, reason=f"{environment}: {runner.split()[0]} ran and reported no test"
    )


def _no_tests(evidence: Evidence) -> Judgement | None:
    counts = evidence.counts
    if counts.passed:
        return None
    if not counts.done:
        return Judgement(verdict=Verdict.NO_TESTS, reason="everything ran, and no test was reported")
    if counts.skipped == counts.done:
        reason = "the only test was skipped" if counts.done == 1 else f"all {counts.done} tests were skipped"
        return Judgement(verdict=Verdict.NO_TESTS, reason=reason)
    reason = f"no test passed: {counts.skipped} were skipped, {counts.other} were expected to fail"
    return Judgement(verdict=Verdict.NO_TESTS, reason=reason)


RULES: tuple[Callable[[Evidence], Judgement | None], ...] = (
    _limits,
    _farm_error,
    _lost,
    _failing_tests,
    _before_environments,
    _environments,
    _never_ran,
    _skipped_whole,
    _idle,
    _no_tests,
)


def _exit_code(evidence: Evidence, name: str) -> int:
    assert evidence.report is not None, "_unreported comes first"  # noqa: S101 - an invariant of RULES
    return evidence.report.environments[name].exit_code


def _skipped(evidence: Evidence, name: str) -> bool:
    report = evidence.report.environments.get(name) if evidence.report else None
    return report is not None and report.skipped


def _failed(evidence: Evidence, name: str) -> Iterator[CommandEntry]:
    return (each for each in evidence.commands.get(name, ()) if each.failed)


def _found_nothing(evidence: Evidence, command: CommandEntry | None, code: int) -> bool:
    if evidence.counts.done:
        return False
    return (command.exit_code if command else code) == NOTHING_COLLECTED


def _finder(command: CommandEntry | None) -> str:
    """Who says that there was no test, as far as the command tells."""
    found = (
        re.search(r"\b(unittest|pytest)\b", command.command.replace("py.test", "pytest")) if command else None
    )
    if found:
        return found[1]
    return f"`{_short(command.command)}`" if command else "the test command"


def _where(evidence: Evidence) -> str:
    """In which test or step the job was; empty when the stream does not say."""
    if evidence.unfinished:
        environment, test = evidence.unfinished[0]
        return f", in {environment}: {test}"
    running = [key for key, status in evidence.statuses.items() if status == "inprogress"]
    if not running:
        return ""
    of, step = max(running, key=lambda key: key[0] is not None)
    word = step.removeprefix("farm:")
    return f", in {word} of {of}" if of else f", in {word}"


def _said(evidence: Evidence, key: tuple[str | None, str]) -> str:
    reason = evidence.reasons.get(key, "").strip()
    return f": {_short(reason, 300)}" if reason else ""


def _short(text: str, most: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
