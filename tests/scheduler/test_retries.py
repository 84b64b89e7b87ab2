"""A cell with failing tests that is tried again: flaky when the difference shows, failed when it does not."""

import pytest
from sqlmodel import select

from farm_scheduler.claims import claim_job, finish
from farm_scheduler.judgement import Judgement
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.retries import MAX_ATTEMPTS
from farm_scheduler.run_list import recent_runs
from farm_scheduler.run_report import read_report
from farm_scheduler.states import ImageState, JobState, RunState
from farm_scheduler.tables import Attempt, Cell, Image, Job, Run, Test
from farm_scheduler.verdicts import Verdict

FAILED = Judgement(verdict=Verdict.FAILED, reason="py312: test_a failed")
PASSED = Judgement(verdict=Verdict.PASSED)
FARM_ERROR = Judgement(verdict=Verdict.FARM_ERROR, reason="no machine")


@pytest.fixture
def job(database):
    """A queued job whose project asks for one second try."""
    with database.write() as session:
        session.add(Image(name="debian-12", state=ImageState.READY, digest="0" * 64))
        run = Run(target="t", project="t", source_sha256="0" * 64, state=RunState.QUEUED)
        session.add(run)
        session.flush()
        cell = Cell(
            run_id=run.id, position=0, system="debian-12", label="l", environments=["py312"], retries=1
        )
        session.add(cell)
        session.flush()
        found = Job(run_id=run.id, cell_id=cell.id)
        place(session, run, found, cell.system)
        session.add(found)
        enqueue(session, [found])
    return found.id


def attempt(database, judgement, **tests):
    """One attempt to its end, with the statuses of its tests; whether the job waits again."""
    with database.write() as session:
        for waiting in session.exec(select(Job)):
            waiting.not_before = None
    claim = claim_job(database, worker="w", lease_seconds=60)
    with database.write() as session:
        for position, (name, status) in enumerate(tests.items()):
            row = Test(
                attempt_id=claim.attempt_id,
                environment="py312",
                name=name,
                status=status,
                message="why",
                position=position,
            )
            session.add(row)
    return finish(database, claim, judgement)


def ended(database, job):
    """Verdict, reason and failing tests of the job, and the exit code of its run."""
    with database.read() as session:
        report = read_report(session, session.get_one(Job, job).run_id)
    cell = report.cells[0]
    return cell.verdict, cell.reason, [test.name for test in cell.failing], report.exit_code


def test_a_failure_that_does_not_come_again_is_flaky(database, job):
    """What passes on a second try is flaky: not green, the tests named, both attempts kept."""
    assert attempt(database, FAILED, test_a="fail", test_b="success")
    assert not attempt(database, PASSED, test_a="success", test_b="success")
    reason = "py312: test_a failed in try 1, and try 2 passed"
    assert ended(database, job) == (Verdict.FLAKY, reason, ["test_a"], 1)
    with database.read() as session:
        verdicts = [each.verdict for each in session.exec(select(Attempt).order_by(Attempt.number))]
    assert verdicts == [Verdict.FAILED, Verdict.PASSED]


def test_a_failure_that_comes_again_stays_one(database, job):
    """What fails on every try is failed, after as many tries as were asked for."""
    assert attempt(database, FAILED, test_a="fail")
    assert not attempt(database, FAILED, test_a="fail")
    assert ended(database, job) == (Verdict.FAILED, FAILED.reason, ["test_a"], 1)


def test_nothing_is_tried_again_unless_asked(database, job):
    """Without retries the first failure is the verdict."""
    with database.write() as session:
        session.exec(select(Cell)).one().retries = 0
    assert not attempt(database, FAILED, test_a="fail")
    assert ended(database, job)[0] is Verdict.FAILED


def test_a_failure_without_a_failing_test_is_not_tried_again(database, job):
    """A command that fails, or an installation, is no matter of luck."""
    assert not attempt(database, FAILED, test_a="success")
    assert ended(database, job)[0] is Verdict.FAILED


def test_the_farms_fault_does_not_hide_a_failure(database, job):
    """A second try that the farm cannot give leaves the failure of the first."""
    assert attempt(database, FAILED, test_a="fail")
    for number in range(1, MAX_ATTEMPTS + 1):
        assert attempt(database, FARM_ERROR) is (number < MAX_ATTEMPTS)
    verdict, reason, _, exit_code = ended(database, job)
    assert (verdict, exit_code) == (Verdict.FAILED, 1)
    assert reason == "py312: test_a failed; it could not be tried again (no machine)"


def test_the_farms_fault_takes_no_try_away(database, job):
    """An attempt that the farm spoiled is none of the tries that were asked for."""
    assert attempt(database, FARM_ERROR)
    assert attempt(database, FAILED, test_a="fail")
    assert attempt(database, FARM_ERROR)
    assert not attempt(database, PASSED, test_a="success")
    assert ended(database, job)[0] is Verdict.FLAKY


def test_an_expected_failure_may_be_flaky(database, job):
    """Where a failure is expected, a flaky cell is one."""
    with database.write() as session:
        session.exec(select(Cell)).one().expected = Verdict.EXPECTED_FAILURE
    attempt(database, FAILED, test_a="fail")
    attempt(database, PASSED, test_a="success")
    verdict, _, _, exit_code = ended(database, job)
    assert (verdict, exit_code) == (Verdict.EXPECTED_FAILURE, 0)


def test_an_unexpected_pass_has_a_word_of_its_own(database, job):
    """A cell that passes although a failure is expected is neither green nor called passed, in every list."""
    with database.write() as session:
        session.exec(select(Cell)).one().expected = Verdict.EXPECTED_FAILURE
    attempt(database, PASSED, test_a="success")
    with database.read() as session:
        found = session.get_one(Job, job)
        cell = read_report(session, found.run_id).cells[0]
        tallies = recent_runs(session, limit=1)[0].tallies
    assert (found.state, found.verdict) == (JobState.FINISHED, Verdict.PASSED)
    assert (cell.word, cell.green, cell.bad) == ("unexpected-pass", False, True)
    assert [tally.word for tally in tallies] == ["unexpected-pass"]
