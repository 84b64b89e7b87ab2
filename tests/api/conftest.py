"""What the tests of the doors share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root():
    """The root of the repository."""
    return Path(__file__).resolve().parents[2]
