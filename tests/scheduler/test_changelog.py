"""The changelog of an index that is slow, behind or wrong: it holds nobody up, and no release is missed."""

import time

import pytest

from farm_scheduler import changelog
from farm_scheduler.errors import IndexUnavailableError

from ..workers.test_slow_receivers import Drip, drip

__all__ = ["drip"]


def test_a_changelog_that_drips_is_told(drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come one by one, in the head or in the body, are given up as a whole."""
    monkeypatch.setattr(changelog, "LONGEST", 0.5)
    begun = time.monotonic()
    with pytest.raises(IndexUnavailableError, match="does not end"):
        changelog.last_serial(f"http://{drip.host}/pypi", 3)
    assert time.monotonic() - begun < 8
