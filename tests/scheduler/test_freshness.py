"""How long an index allows to use what it said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.freshness import MOST_SECONDS, allowed_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("max-age=600, public", 600),
        ("public,max-age=600", 600),
        ('Max-Age="600"', 600),
        ("max-age=600;x", 0),
        ("s-maxage=600", 0),
        ("x-max-age=600", 0),
        ("max-age=600, no-store", 0),
        ('no-cache="set-cookie", max-age=5', 0),
        ("max-age=31536000, immutable", MOST_SECONDS),
        ("max-age=-1", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_cache_control_is_read(header: str | None, seconds: float) -> None:
    """max-age counts, up to a day, unless the answer must not be used at all."""
    assert allowed_seconds(header) == seconds


@given(st.text())
def test_any_header_is_read(header: str) -> None:
    """Whatever an index sends is some time within the bounds."""
    assert 0 <= allowed_seconds(header) <= MOST_SECONDS
