"""Verdicts from evidence: one case for each rule, and what must never happen."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.evidence import CommandEntry, Evidence, JobEnd, TestCounts
from farm_scheduler.judgement import judge
from farm_scheduler.tox_report import EnvironmentReport, ToxReport, read_report
from farm_scheduler.verdicts import Verdict

COMMANDS = ("py312", "farm:commands")
GOOD = Evidence(
    environments=("py312",),
    statuses={("py312", "farm:create"): "success", COMMANDS: "success"},
    counts=TestCounts(passed=3, total=3),
    report=ToxReport(environments={"py312": EnvironmentReport(exit_code=0)}),
    end=JobEnd(exit_code=0),
)


def entry(
    exit_code: int, *, ignored: bool = False, name: str = "commands[0]", failed: bool = True
) -> CommandEntry:
    """A command that failed."""
    return CommandEntry(name=name, command="pytest -q", exit_code=exit_code, failed=failed, ignored=ignored)


def report(exit_code: int, *, skipped: bool = False) -> ToxReport:
    """Tox's word on py312."""
    return ToxReport(environments={"py312": EnvironmentReport(exit_code=exit_code, skipped=skipped)})


def steps(**statuses: str) -> dict[tuple[str | None, str], str]:
    """Steps of py312."""
    return {("py312", f"farm:{name}"): status for name, status in statuses.items()}


NOTHING = TestCounts()

CASES = {
    "passed": (GOOD, "passed", None),
    "a skipped test among passed ones": (replace(GOOD, counts=TestCounts(passed=1, skipped=5)), "passed", None),
    "an environment of which every test was skipped": (
        replace(GOOD, all_skipped={"py312": 2}),
        "no-tests",
        "py312: none of its 2 tests passed: all were skipped, or expected to fail",
    ),
    "a run of unittest that found nothing, beside one of pytest": (
        replace(GOOD, idle=(("py312", "unittest (process 7)"),)),
        "no-tests",
        "py312: unittest ran and reported no test",
    ),
    "a failing test": (
        replace(GOOD, counts=TestCounts(passed=2, failed=2), failing=(("py312", "t::a"), ("py312", "t::b"))),
        "failed",
        "py312: t::a failed, and 1 more",
    ),
    "a command that failed": (
        replace(GOOD, statuses=steps(commands="fail"), report=report(3), commands={"py312": (entry(3),)}),
        "failed",
        "py312: `pytest -q` ended with 3",
    ),
    "a failure behind a dash": (
        replace(GOOD, commands={"py312": (entry(1, ignored=True),)}),
        "failed",
        "py312: `pytest -q` ended with 1, which the project ignores",
    ),
    "a failure that a retry mended": (
        replace(GOOD, commands={"py312": (entry(1, ignored=True), entry(0, failed=False))}),
        "passed",
        None,
    ),
    "ignore_outcome": (
        replace(GOOD, statuses=steps(commands="fail"), report=report(1), commands={"py312": (entry(1, ignored=True),)}),
        "failed",
        "py312: `pytest -q` ended with 1",
    ),
    "no test": (replace(GOOD, counts=NOTHING), "no-tests", "everything ran, and no test was reported"),
    "all skipped": (replace(GOOD, counts=TestCounts(skipped=4)), "no-tests", "all 4 tests were skipped"),
    "one skipped": (replace(GOOD, counts=TestCounts(skipped=1)), "no-tests", "the only test was skipped"),
    "only expected failures": (
        replace(GOOD, counts=TestCounts(other=2)),
        "no-tests",
        "no test passed: 0 were skipped, 2 were expected to fail",
    ),
    "a program that no index has": (
        replace(
            GOOD,
            statuses=steps(commands="fail"),
            report=report(2),
            commands={"py312": (replace(entry(2), missing="npm"),)},
        ),
        "unsupported",
        "py312: needs npm, which the machine does not have and no package index gives",
    ),
    "pytest found nothing": (
        replace(
            GOOD,
            counts=NOTHING,
            statuses=steps(commands="fail"),
            report=report(5),
            commands={"py312": (entry(5),)},
        ),
        "no-tests",
        "py312: pytest found no test",
    ),
    "unittest found nothing": (
        replace(
            GOOD,
            counts=NOTHING,
            statuses=steps(commands="fail"),
            report=report(5),
            commands={"py312": (replace(entry(5), command="coverage run -m unittest discover"),)},
        ),
        "no-tests",
        "py312: unittest found no test",
    ),
    "another command found nothing": (
        replace(
            GOOD,
            counts=NOTHING,
            statuses=steps(commands="fail"),
            report=report(5),
            commands={"py312": (replace(entry(5), command="python tests.py"),)},
        ),
        "no-tests",
        "py312: `python tests.py` found no test",
    ),
    "source": (
        replace(
            GOOD,
            statuses={(None, "farm:source"): "fail"},
            reasons={(None, "farm:source"): "The source could not be unpacked: [Errno 28] No space left on device."},
            end=JobEnd(),
        ),
        "build-failed",
        "the machine did not take the source: The source could not be unpacked: [Errno 28] No space left on device.",
    ),
    "system packages": (
        replace(
            GOOD,
            statuses={(None, "farm:system-packages"): "fail"},
            reasons={(None, "farm:system-packages"): "Unable to locate package nowhere"},
            end=JobEnd(),
        ),
        "install-failed",
        "the system packages could not be installed: Unable to locate package nowhere",
    ),
    "dependencies": (
        replace(GOOD, statuses=steps(install="fail"), reasons={("py312", "farm:install"): "no matching\ndistribution"}),
        "install-failed",
        "py312: its dependencies could not be installed: no matching distribution",
    ),
    "the environment": (replace(GOOD, statuses=steps(create="fail")), "install-failed", None),
    "the package": (replace(GOOD, statuses=steps(package="fail")), "build-failed", None),
    "provisioning": (replace(GOOD, statuses={(None, "farm:provision"): "fail"}), "install-failed", None),
    "a missing interpreter": (
        replace(
            GOOD,
            statuses=steps(create="fail"),
            reasons={("py312", "farm:create"): "could not find python interpreter matching py312"},
        ),
        "unsupported",
        None,
    ),
    "an environment that tox skipped": (replace(GOOD, statuses=steps(create="skip")), "unsupported", None),
    "a packaging environment without its interpreter": (
        replace(
            GOOD,
            statuses={**steps(create="success", package="skip")},
            reasons={("py312", "farm:package"): "could not find python interpreter with spec(s): 3.15"},
        ),
        "unsupported",
        "py312: tox left it out: could not find python interpreter with spec(s): 3.15",
    ),
    "skipped by the report": (replace(GOOD, report=report(0, skipped=True)), "unsupported", None),
    "an environment that never ran": (
        replace(GOOD, statuses={}, end=JobEnd(exit_code=1)),
        "install-failed",
        "tox ended with 1 before it ran py312; its log says why",
    ),
    "no result file": (replace(GOOD, report=None), "farm-error", "tox left no result of py312"),
    "a crash inside a test": (
        replace(GOOD, unfinished=(("py312", "t::a"),)),
        "lost",
        "py312: t::a began and never ended",
    ),
    "a stream that ends inside a test": (
        replace(GOOD, unfinished=(("py312", "t::a"),), end=None),
        "lost",
        "py312: t::a began and never ended",
    ),
    "a stream that ends elsewhere": (
        replace(GOOD, statuses=steps(install="inprogress"), end=None),
        "farm-error",
        "the machine's stream ended before the job did, in install of py312",
    ),
    "tox killed": (replace(GOOD, end=JobEnd(signal=9)), "lost", "tox was killed by signal 9"),
    "the guest's time": (
        replace(GOOD, end=JobEnd(limit="time"), unfinished=(("py312", "t::a"),)),
        "timed-out",
        "the time for the job ran out, in py312: t::a",
    ),
    "the host's time": (replace(GOOD, end=None, host_limit="time"), "timed-out", None),
    "the log": (replace(GOOD, end=JobEnd(limit="log")), "limit-exceeded", "the limit on log was reached"),
    "the farm's own fault": (replace(GOOD, farm_error="it broke"), "farm-error", "it broke"),
    "our fault beside a failing test": (
        replace(GOOD, farm_error="it broke", counts=TestCounts(failed=1), failing=(("py312", "t"),)),
        "farm-error",
        "it broke",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_evidence_has_its_verdict(case: str) -> None:
    """The word is exact, and the reason names environment, test or command."""
    evidence, verdict, reason = CASES[case]
    found = judge(evidence)
    assert found.verdict is Verdict(verdict)
    if reason is not None or verdict == "passed":
        assert found.reason == reason
    else:
        assert found.reason


def test_every_environment_of_the_cell_counts() -> None:
    """A second environment that did not run, or failed, takes the green away."""
    two = replace(GOOD, environments=("py312", "lint"))
    assert judge(two).verdict is Verdict.INSTALL_FAILED
    ran = {**GOOD.statuses, ("lint", "farm:commands"): "success"}
    environments = {**report(0).environments, "lint": EnvironmentReport(exit_code=0)}
    assert (
        judge(replace(two, statuses=ran, report=ToxReport(environments=environments))).verdict
        is Verdict.PASSED
    )
    environments["lint"] = EnvironmentReport(exit_code=1)
    assert (
        judge(replace(two, statuses=ran, report=ToxReport(environments=environments))).verdict
        is Verdict.FAILED
    )


def test_what_cannot_run_hides_no_failure() -> None:
    """An environment that needs the network, or a tool that is not there, takes no failure of another one away."""
    statuses = {("docs", "farm:commands"): "fail", COMMANDS: "fail"}
    reports = {"docs": EnvironmentReport(exit_code=1), "py312": EnvironmentReport(exit_code=3)}
    evidence = replace(
        GOOD,
        environments=("docs", "py312"),
        statuses=statuses,
        report=ToxReport(environments=reports),
        unreachable={"docs": ("docs.python.org",)},
        commands={"py312": (entry(3),)},
    )
    found = judge(evidence)
    assert found.verdict is Verdict.FAILED
    assert (
        found.reason == "py312: `pytest -q` ended with 3; docs: needs network: it asked for docs.python.org"
    )
    lacking = replace(entry(1), missing="npm")
    found = judge(replace(evidence, unreachable={}, commands={"docs": (lacking,), "py312": (entry(3),)}))
    assert found.verdict is Verdict.FAILED
    green = replace(evidence, statuses={**statuses, COMMANDS: "success"}, commands={})
    reports["py312"] = EnvironmentReport(exit_code=0)
    assert judge(green).verdict is Verdict.UNSUPPORTED


def test_failures_beside_a_failing_test_are_told() -> None:
    """What failed in other environments is named behind the failing test, a few of many."""
    names = ("py312", *(f"e{number}" for number in range(5)))
    evidence = replace(
        GOOD,
        environments=names,
        counts=TestCounts(passed=2, failed=1),
        failing=(("py312", "t::a"),),
        statuses={(name, "farm:commands"): "fail" for name in names},
        report=ToxReport(environments={name: EnvironmentReport(exit_code=1) for name in names}),
        commands={name: (entry(2),) for name in names},
    )
    told = "; ".join(f"e{number}: `pytest -q` ended with 2" for number in range(3))
    assert judge(evidence).reason == f"py312: t::a failed; {told}; and 2 more environments"


COUNTS = st.builds(
    TestCounts,
    passed=st.integers(0, 2),
    failed=st.integers(0, 2),
    skipped=st.integers(0, 2),
    other=st.integers(0, 2),
)
STATUS = st.sampled_from(["inprogress", "success", "fail", "skip"])
STEPS = st.dictionaries(
    st.tuples(
        st.sampled_from([None, "py312", "lint"]),
        st.sampled_from(
            ["farm:create", "farm:package", "farm:install", "farm:commands", "farm:provision", "farm:tox"]
        ),
    ),
    STATUS,
)
ENTRIES = st.builds(
    CommandEntry,
    name=st.sampled_from(["commands[0]", "commands[1]"]),
    command=st.just("x"),
    exit_code=st.one_of(st.none(), st.integers(-9, 9)),
    failed=st.booleans(),
    ignored=st.booleans(),
)
NAMED = st.lists(st.tuples(st.sampled_from(["py312", "lint"]), st.just("t")), max_size=1).map(tuple)
REPORTS = st.dictionaries(
    st.sampled_from(["py312", "lint"]),
    st.builds(EnvironmentReport, exit_code=st.integers(-2, 5), skipped=st.booleans()),
).map(lambda environments: ToxReport(environments=environments))
ENDS = st.builds(
    JobEnd,
    exit_code=st.integers(0, 2),
    signal=st.sampled_from([None, 9]),
    limit=st.sampled_from([None, "time", "log"]),
)
EVIDENCE = st.builds(
    Evidence,
    environments=st.sampled_from([("py312",), ("py312", "lint")]),
    statuses=STEPS,
    commands=st.dictionaries(st.sampled_from(["py312", "lint"]), st.lists(ENTRIES, max_size=3).map(tuple)),
    counts=COUNTS,
    failing=NAMED,
    unfinished=NAMED,
    report=st.one_of(st.none(), REPORTS),
    end=st.one_of(st.none(), ENDS),
    farm_error=st.sampled_from([None, "broke"]),
    host_limit=st.sampled_from([None, None, None, "time", "stream"]),
)  # fmt: skip


@given(EVIDENCE)
def test_green_is_never_given_away(evidence: Evidence) -> None:
    """Whatever the evidence, there is one verdict with a reason, and passed means that all of it is good."""
    found = judge(evidence)
    assert found.reason if found.verdict is not Verdict.PASSED else found.reason is None
    if not found.verdict.green:
        return
    assert evidence.counts.passed
    assert not evidence.counts.failed
    assert not evidence.failing
    assert not evidence.unfinished
    assert evidence.end is not None
    assert evidence.end.limit is None
    assert evidence.end.signal is None
    assert evidence.farm_error is None
    assert evidence.host_limit is None
    assert evidence.report is not None
    for name in evidence.environments:
        assert evidence.statuses[name, "farm:commands"] == "success"
        assert evidence.report.environments[name] == EnvironmentReport(exit_code=0)
        mended = {each.name for each in evidence.commands.get(name, ()) if not each.failed}
        assert not [
            e for e in evidence.commands.get(name, ()) if e.failed and e.ignored and e.name not in mended
        ]


def test_a_result_file_of_tox_is_read() -> None:
    """Tox 4 says the result of an environment, tox 3 leaves it to its commands."""
    four = b'{"testenvs": {"py312": {"result": {"success": true, "exit_code": 0, "skipped": false}}}}'
    assert read_report(four) == report(0)
    three = b'{"testenvs": {"py27": {"setup": [{"retcode": "0"}], "test": [{"retcode": "2"}]}}}'
    assert read_report(three) == ToxReport(environments={"py27": EnvironmentReport(exit_code=2)})
    unsuccessful = b'{"testenvs": {"py312": {"result": {"success": false, "exit_code": 0}}}}'
    assert read_report(unsuccessful) == report(1)
    assert read_report(b'{"testenvs": {"py312": {}}}') == ToxReport(environments={})
    backend = b'{"testenvs": {".pkg": {"test": [{"retcode": null}]}}}'
    assert read_report(backend) == ToxReport(environments={".pkg": EnvironmentReport(exit_code=0)})


VALUES = st.recursive(
    st.sampled_from([None, 0, 1, float("inf"), "x", True]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["testenvs", "result", "exit_code", "test", "retcode"]), inner)
    ),
)


@given(st.one_of(st.binary(max_size=60), VALUES.map(lambda value: json.dumps({"testenvs": value}).encode())))
def test_any_bytes_are_a_report_or_none(content: bytes) -> None:
    """A hostile result file is read or refused, and never raises."""
    read_report(content)
