"""When something that is up counts as hung."""

import os
import time

import pytest

from farm_cli import pulse
from farm_cli.pulse import Pulse


@pytest.fixture
def watched():
    """The pulse of a process that writes when the test does."""
    found = Pulse()
    yield found
    found.close()


def test_silence_is_a_hang(watched, monkeypatch):
    """Half a minute without a byte is one; bytes that waited for the looker count as heard now."""
    began = time.monotonic()
    monkeypatch.setattr(pulse.time, "monotonic", lambda: began + later)
    later = pulse.SILENT_SECONDS - 1
    assert not watched.is_lost
    later = 3 * pulse.SILENT_SECONDS
    os.write(watched.end, b"..")
    assert not watched.is_lost
    later += pulse.SILENT_SECONDS + 1
    assert watched.is_lost


def test_a_pipe_that_nobody_reads_holds_up_no_writer(watched):
    """It is full some day, and says so to who writes."""
    for _ in range(16):
        os.write(watched.end, bytes(4096))
    with pytest.raises(BlockingIOError):
        os.write(watched.end, b".")
    assert not watched.is_lost
    assert os.write(watched.end, b".") == 1
