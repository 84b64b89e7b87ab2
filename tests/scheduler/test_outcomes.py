"""Tests by page, and the job that they belong to."""

import pytest
from sqlalchemy import insert

from farm_scheduler.errors import NotFoundError
from farm_scheduler.ingest import TEST
from farm_scheduler.job_report import read_job
from farm_scheduler.outcomes import PAGE, Outcome, read_outcomes


@pytest.fixture
def attempt(runs):
    """An attempt with two failing tests, and 250 others of which each fifth was skipped."""
    with runs.read() as session:
        found = read_job(session, "r-fin23456", "j-fin22222").attempt.id
    rows = [
        {
            "attempt_id": found,
            "environment": "py311",
            "name": f"tests/test_x.py::test_{number}_100%_of_it",
            "status": "success" if number % 5 else "skip",
            "position": 2 + number,
        }
        for number in range(250)
    ]
    with runs.write() as session:
        session.execute(insert(TEST), rows)
    return found


def test_tests_come_by_page(runs, attempt):
    """A page has the tests in the order in which they ended; a page too far is the last one."""
    with runs.read() as session:
        first = read_outcomes(session, attempt, outcome=Outcome.ALL)
        last = read_outcomes(session, attempt, outcome=Outcome.ALL, page=99)
    assert (first.found, first.page, first.pages, len(first.tests)) == (252, 1, 3, PAGE)
    assert (last.page, len(last.tests)) == (3, 52)
    assert last.tests[-1].name.startswith("tests/test_x.py::test_249")


def test_tests_are_filtered_by_how_they_ended(runs, attempt):
    """Each filter has its tests, and the counts are those of all filters at once."""
    with runs.read() as session:
        skipped = read_outcomes(session, attempt, outcome=Outcome.SKIPPED)
        failed = read_outcomes(session, attempt, outcome=Outcome.FAILED)
    assert {test.status for test in skipped.tests} == {"skip"}
    assert [test.message is not None for test in failed.tests] == [True, True]
    assert skipped.counts == {"all": 252, "failed": 2, "passed": 200, "skipped": 50, "other": 0}


@pytest.mark.parametrize(
    ("search", "found"),
    [("TEST_24", 11), ("100%_of", 250), ("100__", 0), ("%", 250), ("nothing", 0), ("\\", 0)],
)
def test_a_search_takes_every_character_for_itself(runs, attempt, search, found):
    """A search finds parts of names without regard to case; the signs of patterns mean themselves."""
    with runs.read() as session:
        page = read_outcomes(session, attempt, outcome=Outcome.ALL, search=search)
    assert page.found == found
    assert len(page.tests) == min(found, PAGE)


def test_a_job_has_its_attempts_and_steps(runs):
    """The newest attempt is shown without a number; steps carry no prefix."""
    with runs.read() as session:
        job = read_job(session, "r-fin23456", "j-fin22222")
    assert [attempt.number for attempt in job.attempts] == [1]
    assert [(step.environment, step.name, step.status) for step in job.steps] == [
        ("py311", "install", "success")
    ]


@pytest.mark.parametrize(
    ("run", "job", "number"),
    [("r-nope", "j-fin22222", None), ("r-run23456", "j-fin22222", None), ("r-fin23456", "j-fin22222", 7)],
)
def test_what_is_not_there_is_an_error(runs, run, job, number):
    """An unknown run, a job of another run and an unknown attempt are told apart from an empty job."""
    with runs.read() as session, pytest.raises(NotFoundError):
        read_job(session, run, job, number)
