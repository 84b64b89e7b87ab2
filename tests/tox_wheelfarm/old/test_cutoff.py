"""The words of a cut-off, and the moments that they mean to uv."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tox_wheelfarm.cutoff import moment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def tokyo(monkeypatch):
    """A machine nine hours ahead."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31 12:00:01.5+0130", datetime(2026, 1, 31, 10, 30, 1, 500_000, tzinfo=UTC)),
        ("2026-01-31t12:00-01:00", datetime(2026, 1, 31, 13, tzinfo=UTC)),
        ("30 days", NOW - timedelta(days=30)),
        ("2weeks", NOW - timedelta(weeks=2)),
        ("P1DT1.5H", NOW - timedelta(days=1, hours=1.5)),
    ],
)
def test_a_time_is_itself_and_a_span_counts_from_now(text, wanted):
    """Every form that the settings take."""
    assert moment(text, NOW) == wanted


@pytest.mark.usefixtures("tokyo")
def test_a_day_counts_to_its_end_where_we_are():
    """As uv has it: in the time zone of the machine."""
    assert moment("2026-01-31", NOW) == datetime(2026, 1, 31, 15, tzinfo=UTC)
