"""A run as people see it."""

import pytest

from farm_scheduler.errors import NotFoundError
from farm_scheduler.run_list import recent_runs
from farm_scheduler.run_report import notes_by_reason, read_report
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, Job, Run


def test_a_report_has_the_cells_in_their_order(runs):
    """Cells come by position, each with the counts and the newest attempt of its job."""
    with runs.read() as session:
        report = read_report(session, "r-fin23456")
    assert [cell.python for cell in report.cells] == ["2.7", "3.10", "3.11", "3.12", "3.13", "3.14", None]
    failed = report.cells[2]
    assert (failed.word, failed.passed, failed.failed, failed.attempts) == ("failed", 116, 3, 1)
    assert failed.stream_path == "streams/j-fin22222.subunit"
    assert report.seconds == 97


def test_failing_tests_are_bounded(runs):
    """No more failing tests are read than were asked for, and none when none were."""
    with runs.read() as session:
        assert len(read_report(session, "r-fin23456", failing=1).cells[2].failing) == 1
        assert read_report(session, "r-fin23456", failing=0).cells[2].failing == ()


def test_a_test_that_runs_is_no_failure_yet(runs):
    """A test in progress is listed once its job has ended, not before."""
    with runs.read() as session:
        lost = read_report(session, "r-fin23456").cells[3]
        running = read_report(session, "r-run23456").cells[1]
    assert {test.status for test in lost.failing} == {"inprogress"}
    assert running.failing == ()


def test_only_passed_and_built_are_green(runs):
    """Of all the words of a run only `passed` is green, and what wants a look is neither green nor calm."""
    with runs.read() as session:
        cells = read_report(session, "r-fin23456").cells
    assert [cell.word for cell in cells if cell.green] == ["passed"]
    assert [cell.word for cell in cells if cell.bad] == ["install-failed", "failed", "lost", "timed-out"]


def test_the_newest_runs_come_first(runs):
    """Runs are listed by their time, newest first, up to the limit."""
    with runs.read() as session:
        assert [report.id for report in recent_runs(session, limit=2)] == ["r-run23456", "r-fin23456"]


def test_notes_are_gathered_by_reason(runs):
    """Environments that were left out for the same reason stand together."""
    reason = "the same"
    with runs.write() as session:
        notes = [{"environment": name, "reason": reason} for name in ("a", "b")]
        session.get(Run, "r-fin23456").notes = [*notes, {"environment": None, "reason": "of the run"}]
    with runs.read() as session:
        report = read_report(session, "r-fin23456")
    assert notes_by_reason(report) == {reason: ["a", "b"], "of the run": []}


def test_an_unknown_run_is_an_error_that_says_where_to_look(database):
    """A wrong id gives one sentence with the command that lists the right ones."""
    with database.read() as session, pytest.raises(NotFoundError, match="wheelfarm results"):
        read_report(session, "r-nope")


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.2, ""), (12.4, "about 12 s left"), (200.0, "about 3 min left")]
)
def test_what_is_left_is_rough(runs, seconds, text):
    """An estimate is told in whole seconds or minutes, and not at all when it has run out."""
    with runs.write() as session:
        session.get(Job, "j-run22221").left_seconds = seconds
    with runs.read() as session:
        assert read_report(session, "r-run23456").cells[1].left == text


def test_a_run_tells_which_images_it_waits_for(runs):
    """An image that is being baked is told by runs that need it and have not ended, and by no other."""
    with runs.write() as session:
        image = session.get(Image, "debian-12")
        image.state, image.progress = ImageState.BAKING, 40
        session.add(Image(name="debian-99"))
    with runs.read() as session:
        (waits,) = read_report(session, "r-run23456").waits_for
        assert (waits.name, waits.progress) == ("debian-12", 40)
        assert read_report(session, "r-fin23456").waits_for == ()
