"""Results: what a stream says becomes steps, tests and counters, whatever the stream is."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from farm_images.subunit_stream import Decoder, Event, encode
from farm_scheduler import results as module
from farm_scheduler.attachments import Attachments, read_commands, read_job_end
from farm_scheduler.database import Database
from farm_scheduler.evidence import JobEnd, TestCounts
from farm_scheduler.ingest import Ingest
from farm_scheduler.judgement import judge
from farm_scheduler.results import Results
from farm_scheduler.schema import upgrade
from farm_scheduler.tables import Attempt, Cell, Job, Run, Step, Test
from farm_scheduler.verdicts import Verdict

T0 = datetime(2026, 11, 21, tzinfo=UTC)


def step(name: str, status: str | None, route: str | None = "py312", **more: object) -> Event:
    """One packet of a step."""
    return Event(test_id=f"farm:{name}", status=status, route_code=route, runnable=False, **more)


def attached(name: str, file_name: str, content: object, route: str | None = "py312") -> list[Event]:
    """An attachment in two chunks."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    half = len(raw) // 2
    return [
        step(name, None, route, file_name=file_name, file_bytes=part) for part in (raw[:half], raw[half:])
    ]


def said(name: str, status: str | None, second: float = 0, **more: object) -> Event:
    """One packet of a test."""
    return Event(
        test_id=name, status=status, route_code="py312", timestamp=T0 + timedelta(seconds=second), **more
    )


def whole_stream(*tests: Event) -> list[Event]:
    """A good job around these tests."""
    report = {"testenvs": {"py312": {"result": {"success": True, "exit_code": 0, "skipped": False}}}}
    return [
        step("source", "success", None),
        step("tox", "inprogress", None),
        step("create", "inprogress"),
        step("create", "success"),
        step("commands", "inprogress"),
        *tests,
        *attached("commands", "commands.json", []),
        step("commands", "success"),
        *attached("tox", "tox-result.json", report, None),
        step("tox", "success", None),
        *attached("job", "job.json", {"exit_code": 0, "seconds": {"tox": 2.5}}, None),
        step("job", "success", None, eof=True),
    ]


def test_a_whole_stream_becomes_results() -> None:
    """Statuses, seconds, messages and counters follow the packets, and the verdict follows them."""
    results = Results(["py312"])
    results.feed(
        whole_stream(
            said("t::a", "exists"),
            said("t::b", "exists"),
            said("t::c", "exists"),
            said("t::a", "inprogress", 1),
            said("t::a", "success", 3.5),
            said("t::b", "inprogress", 4),
            said("t::b", None, 4, file_name="reason", file_bytes=b"not \0today"),
            said("t::b", "skip", 4),
        )
    )
    results.close()
    assert [(t.name, t.status, t.seconds, t.message, t.position) for t in results.take_tests()] == [
        ("t::a", "success", 2.5, None, 0),
        ("t::b", "skip", 0.0, "not \ufffdtoday", 1),
    ]
    assert results.take_tests() == []
    assert results.counts == TestCounts(passed=1, skipped=1, total=3)
    assert results.end == JobEnd(exit_code=0, seconds={"tox": 2.5})
    judgement = judge(results.evidence())
    assert judgement.verdict is Verdict.LOST
    assert judgement.reason == "py312: 1 of 3 tests that were found never ran, the first t::c"


@pytest.mark.parametrize(("skipped", "verdict"), [("a.B", Verdict.PASSED), ("a.C", Verdict.LOST)])
def test_tests_below_a_skipped_fixture_are_not_missed(skipped: str, verdict: Verdict) -> None:
    """A fixture of unittest that skips skips all tests of its class; those of another class are missed."""
    results = Results(["py312"])
    results.feed(
        whole_stream(
            said("a.B.test_one", "exists"),
            said("a.D.test_two", "exists"),
            said("a.D.test_two", "success"),
            said(f"setUpClass ({skipped})", "skip"),
        )
    )
    results.close()
    assert judge(results.evidence()).verdict is verdict


def test_what_runs_is_told_as_it_runs() -> None:
    """The line for a person names the step, then the test."""
    results = Results(["py312"])
    results.feed([step("install", "inprogress")])
    assert results.now == "py312: install"
    results.feed([said("t::a", "inprogress")])
    assert results.now == "py312: t::a"


def test_a_test_that_never_ends_is_unfinished() -> None:
    """A beginning without an end is in the evidence, and a row that says so."""
    results = Results(["py312"])
    results.feed([said("t::a", "inprogress")])
    results.close()
    assert [row.status for row in results.take_tests()] == ["inprogress"]
    assert results.evidence().unfinished == (("py312", "t::a"),)
    assert judge(results.evidence()).verdict is Verdict.LOST


def test_a_late_end_is_an_end() -> None:
    """Packets of tests and steps come on two ways: a test may end after its environment."""
    results = Results(["py312"])
    events = whole_stream(said("t::a", "inprogress"))
    at = next(i for i, e in enumerate(events) if e.test_id == "farm:tox" and e.file_name)
    results.feed([*events[:at], said("t::a", "success"), *events[at:]])
    results.close()
    assert judge(results.evidence()).verdict is Verdict.PASSED


def test_a_failure_before_a_success_still_counts() -> None:
    """A test that ran twice in one environment failed if it failed once."""
    results = Results(["py312"])
    results.feed(whole_stream(said("t::a", "fail"), said("t::a", "success")))
    assert results.counts == TestCounts(passed=1, failed=1, total=2)
    assert judge(results.evidence()).verdict is Verdict.FAILED


def test_subtests_count_when_they_fail() -> None:
    """A subtest that went well is part of its test, one that failed is a failure of its own."""
    results = Results(["py312"])
    results.feed([said("t::a [1]", "success", runnable=False), said("t::a [2]", "fail", runnable=False)])
    assert results.counts == TestCounts(failed=1, total=1)
    assert [row.name for row in results.take_tests()] == ["t::a [2]"]


def test_steps_change_and_are_taken_once() -> None:
    """A step is handed out when it is new and when it changed; a second beginning is a step of its own."""
    results = Results(["py312"])
    results.feed([step("install", "inprogress", timestamp=T0)])
    (first,) = results.take_steps()
    assert (first.status, first.started) == ("inprogress", T0)
    results.feed([step("install", "success", timestamp=T0)])
    assert results.take_steps() == [first]
    assert (first.status, first.finished) == ("success", T0)
    results.feed([step("install", "inprogress")])
    (second,) = results.take_steps()
    assert second is not first
    results.feed([step("install", "success"), step("install", "inprogress")])
    assert [each.status for each in results.take_steps()] == ["success", "inprogress"]
    assert second.status == "success"


def test_a_step_that_begins_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest that begins one step again and again fills neither memory nor record, and its last word is heard."""
    monkeypatch.setattr("farm_scheduler.results.MAX_STEPS", 10)
    results = Results(["py312"])
    for _ in range(100):
        results.feed([step("install", "inprogress"), step("install", "success")])
    results.feed([step("other", "inprogress"), step("job", "success", None)])
    assert len(results.take_steps()) == 11
    assert results.end is not None


def test_nothing_counts_after_the_last_word() -> None:
    """What a guest says after its job is over is ignored."""
    results = Results(["py312"])
    results.feed([*whole_stream(said("t::a", "success")), said("t::b", "fail"), step("error", "fail", None)])
    assert results.counts.failed == 0
    assert judge(results.evidence()).verdict is Verdict.PASSED


def test_the_farms_own_error_is_heard() -> None:
    """`farm:error` is farm-error with its text."""
    results = Results(["py312"])
    results.feed([*attached("error", "traceback", b"it broke here", None), step("error", "fail", None)])
    found = judge(results.evidence())
    assert (found.verdict, found.reason) == (Verdict.FARM_ERROR, "it broke here")


def test_a_runnable_id_is_a_test_whatever_its_name() -> None:
    """A test that is called like a step of the farm is only a test."""
    results = Results(["py312"])
    results.feed([said("farm:error", "fail"), said("farm:job", "success")])
    assert results.end is None
    assert results.counts == TestCounts(passed=1, failed=1, total=2)


def test_too_many_tests_are_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of tests ends as limit-exceeded, with bounded memory."""
    monkeypatch.setattr(module, "MAX_TESTS", 10)
    results = Results(["py312"])
    results.feed(said(f"t::{number}", "success") for number in range(50))
    assert results.too_many
    assert len(results.take_tests()) == 10
    found = judge(results.evidence())
    assert (found.verdict, found.reason) == (Verdict.LIMIT_EXCEEDED, "the limit on tests was reached")


def test_attachments_share_one_budget() -> None:
    """What is beyond the budget is dropped, what was taken is free again."""
    files = Attachments(budget=1000)
    files.add((None, "a", "x"), b"1" * 700)
    files.add((None, "b", "x"), b"1" * 700)
    assert files.content((None, "b", "x")) == b""
    assert len(files.take((None, "a", "x"))) == 700
    files.add((None, "b", "x"), b"1" * 500)
    assert len(files.content((None, "b", "x"))) == 500


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"null", b'{"seconds": 3}', b'{"exit_code": "x"}', b"[[[["]
)
def test_an_unreadable_last_word_is_no_success(content: bytes) -> None:
    """A job.json that is none gives an end without an exit code, and commands.json none."""
    assert read_job_end(content).exit_code is None
    assert read_commands(content) == ()


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8)
EVENTS = st.lists(
    st.builds(
        Event,
        test_id=st.one_of(
            st.none(),
            st.sampled_from(
                ["farm:job", "farm:error", "farm:commands", "farm:tox", "farm:install", "t::a", "t::b"]
            ),
            TEXT,
        ),
        status=st.sampled_from(
            [None, "exists", "inprogress", "success", "uxsuccess", "skip", "fail", "xfail"]
        ),
        runnable=st.booleans(),
        route_code=st.sampled_from([None, "py312", "x"]),
        eof=st.booleans(),
        timestamp=st.one_of(st.none(), st.integers(0, 10**9).map(lambda s: datetime.fromtimestamp(s, UTC))),
    ).flatmap(
        lambda event: st.one_of(
            st.just(event),
            st.tuples(
                st.sampled_from(
                    ["log", "reason", "traceback", "job.json", "tox-result.json", "commands.json"]
                ),
                st.one_of(
                    st.binary(max_size=20), st.sampled_from([b"{}", b'{"testenvs": {}}', b"[{}]", b"null"])
                ),
            ).map(lambda file: _with_file(event, *file)),
        )
    ),
    max_size=40,
)


def _with_file(event: Event, name: str, content: bytes) -> Event:
    fields = {key: getattr(event, key) for key in Event.__slots__}
    return Event(**fields | {"file_name": name, "file_bytes": content})


@given(EVENTS)
@settings(max_examples=300, deadline=None)
def test_any_stream_has_a_verdict(events: list[Event]) -> None:
    """Whatever packets come, in one piece or one by one, there is one verdict and the counters add up."""
    whole, single = Results(["py312"]), Results(["py312"])
    whole.feed(events)
    for event in events:
        single.feed([event])
    for results in (whole, single):
        results.close()
    assert whole.evidence() == single.evidence()
    assert judge(whole.evidence()) == judge(single.evidence())
    rows = whole.take_tests()
    assert [row.position for row in rows] == list(range(len(rows)))
    assert whole.counts.done == len([row for row in rows if row.status != "inprogress"])
    assert whole.counts.total >= whole.counts.done


@given(EVENTS)
@settings(max_examples=50, deadline=None)
def test_the_evidence_can_be_replayed(events: list[Event]) -> None:
    """The stored bytes give the same evidence as the live stream."""
    live, replayed = Results(["py312"]), Results(["py312"])
    live.feed(events)
    raw = b"".join(map(encode, events))
    replayed.feed(Decoder().feed(raw))
    assert live.evidence() == replayed.evidence()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A record with one attempt."""
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    upgrade(database)
    with database.write() as session:
        session.add(Run(id="r-1", target="x", project="x", source_sha256="0"))
        session.flush()
        session.add(Cell(id="c-1", run_id="r-1", position=0, system="debian-12", label="x"))
        session.flush()
        session.add(Job(id="j-1", run_id="r-1", cell_id="c-1"))
        session.flush()
        session.add(Attempt(id="a-1", job_id="j-1", number=1))
    yield database
    database.close()


def test_results_reach_the_record(database: Database) -> None:
    """Rows are written once, steps follow their changes, and the job has the live counters."""
    results = Results(["py312"])
    ingest = Ingest(database, results, attempt_id="a-1", job_id="j-1")
    events = whole_stream(said("t::a", "inprogress"), said("t::a", "success"), said("t::b", "fail"))
    for event in events:
        results.feed([event])
        ingest.flush(stream_bytes=7, left_seconds=3.0)
    with database.read() as session:
        job = session.get(Job, "j-1")
        attempt = session.get(Attempt, "a-1")
        steps = {(row.name, row.environment, row.status) for row in session.exec(select(Step))}
        tests = [(row.name, row.status, row.position) for row in session.exec(select(Test))]
    assert job is not None
    assert attempt is not None
    assert (job.tests_passed, job.tests_failed, job.tests_total, job.left_seconds) == (1, 1, 2, 3.0)
    assert attempt.stream_bytes == 7
    assert tests == [("t::a", "success", 0), ("t::b", "fail", 1)]
    assert ("farm:create", "py312", "success") in steps
    assert len(steps) == 5
