"""Logs for pages, and the words of pages."""

import asyncio
import subprocess
from datetime import timedelta

import pytest

from farm_dashboards import log_reader
from farm_dashboards.log_reader import LogReader
from farm_dashboards.rendering import ago, grid, seconds_text, tally, tone
from farm_scheduler.run_report import read_report
from farm_scheduler.tables import now

STREAM = "streams/j-fin22222.subunit"


@pytest.fixture
def report(runs):
    """The finished run."""
    with runs.read() as session:
        return read_report(session, "r-fin23456")


def test_a_log_is_read_by_another_process(runs, settings, monkeypatch):
    """The pages' process starts a child for the guest's stream, and none where the stream has not grown."""
    del runs
    calls = []
    run = subprocess.run
    monkeypatch.setattr(
        log_reader.subprocess, "run", lambda argv, **options: calls.append(argv) or run(argv, **options)
    )
    reader = LogReader(settings.home)
    first = reader.piece(STREAM, None, ended=False)
    assert first["text"].splitlines()[-1] == "testing/test_hookcaller.py::test_call_59 PASSED"
    assert reader.piece(STREAM, first["cursor"], ended=False) == {**first, "text": ""}
    assert len(calls) == 1
    assert calls[0][1:3] == ["-m", "farm_scheduler.log_pieces"]


def test_a_log_that_cannot_be_read_is_asked_for_again(runs, settings, monkeypatch):
    """A child that takes too long gives no piece, and no error of the page."""
    del runs
    monkeypatch.setattr(log_reader, "READ_SECONDS", 0.001)
    assert LogReader(settings.home).piece(STREAM, None, ended=True) is None


def test_only_a_few_children_read_at_once(runs, settings, monkeypatch):
    """With every place taken a reader waits, and is then told to come again."""
    del runs
    monkeypatch.setattr(log_reader, "CHILDREN", 1)
    monkeypatch.setattr(log_reader, "WAIT_SECONDS", 0.05)
    reader = LogReader(settings.home)
    with reader._place():
        assert reader.piece(STREAM, None, ended=True) is None


def test_the_whole_log_comes_in_chunks(runs, settings):
    """All lines are there, and nothing in them that is no printing character."""
    del runs
    reading = LogReader(settings.home).whole(STREAM, "somebody")

    async def read():
        return b"".join([chunk async for chunk in reading.response("text/plain").body_iterator]).decode()

    text = asyncio.run(read())
    reading.close()
    assert text.count("PASSED") == 60
    assert not {"\x1b", "\u202e"} & set(text)


def test_a_run_is_told_in_words_and_numbers(report):
    """The words of a run come in the order of its cells, each with its number and its tone."""
    assert tally(report)[:3] == [("install-failed", "bad", 1), ("passed", "good", 1), ("failed", "bad", 1)]


def test_a_grid_has_pythons_and_systems(report):
    """Each Python is a row, each system a column, and what has no Python of its own is the last row."""
    systems, rows = grid(report)
    assert systems == ["debian-12"]
    assert [python for python, _ in rows] == ["2.7", "3.10", "3.11", "3.12", "3.13", "3.14", "other"]
    assert [[tone(cell) for cell in place] for place in rows[1][1]] == [["good"]]


def test_times_are_for_reading():
    """Times carry their unit, and the past is rough."""
    assert [seconds_text(8.25), seconds_text(97), seconds_text(3723)] == ["8.2 s", "1:37 min", "1:02:03 h"]
    assert ago(now() - timedelta(days=3)) == "3 days ago"
    assert ago(now()) == "just now"
