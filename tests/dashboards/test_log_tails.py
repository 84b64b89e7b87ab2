"""The ends of logs on pages."""

import subprocess
from datetime import timedelta

import pytest

from farm_dashboards import log_tails
from farm_dashboards.log_tails import LogTails
from farm_dashboards.rendering import ago, seconds_text, tally
from farm_scheduler.run_report import read_report
from farm_scheduler.tables import now


@pytest.fixture
def report(runs):
    """The finished run."""
    with runs.read() as session:
        return read_report(session, "r-fin23456")


def test_the_end_of_a_log_is_read_by_another_process(report, settings, monkeypatch):
    """The pages' process starts a child for the guest's stream, and asks it once for an attempt that has ended."""
    calls = []
    run = subprocess.run
    monkeypatch.setattr(
        log_tails.subprocess, "run", lambda argv, **options: calls.append(argv) or run(argv, **options)
    )
    tails, cell = LogTails(settings.home), report.cells[2]
    first = tails.tail(cell, 3)
    assert first.splitlines()[0].startswith("testing/test_hookcaller.py::test_call_58")
    assert tails.tail(cell, 3) == first
    assert len(calls) == 1
    assert calls[0][1:3] == ["-m", "farm_scheduler.job_log"]


def test_a_stream_that_cannot_be_read_is_an_empty_log(report, settings, monkeypatch):
    """A child that takes too long leaves the page without a log, not without an answer."""
    monkeypatch.setattr(log_tails, "READ_SECONDS", 0.001)
    assert LogTails(settings.home).tail(report.cells[2], 3) == ""


def test_a_run_is_told_in_words_and_numbers(report):
    """The words of a run come in the order of its cells, each with its number and its tone."""
    assert tally(report)[:3] == [("install-failed", "bad", 1), ("passed", "good", 1), ("failed", "bad", 1)]


def test_times_are_for_reading():
    """Times carry their unit, and the past is rough."""
    assert [seconds_text(8.25), seconds_text(97), seconds_text(3723)] == ["8.2 s", "1:37 min", "1:02:03 h"]
    assert ago(now() - timedelta(days=3)) == "3 days ago"
    assert ago(now()) == "just now"
