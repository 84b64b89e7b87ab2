"""When something that is up counts as hung."""

import queue
import time

import pytest

from farm_cli import pulse
from farm_cli.pulse import Pulse


@pytest.fixture
def asked(monkeypatch):
    """The answers that are to come, one after the other."""
    monkeypatch.setattr(pulse, "ASK_SECONDS", 0.01)
    return queue.SimpleQueue()


def _heard(watched, answers, given):
    for each in given:
        answers.put(each)
    time.sleep(0.5)
    return watched.is_lost


def test_three_misses_in_a_row_are_a_hang(asked):
    """Fewer are a busy host, and an answer between them begins anew."""
    watched = Pulse(lambda: asked.get(timeout=30))
    miss, answer = False, True
    assert not _heard(watched, asked, [answer, miss, miss, answer, miss, miss])
    assert _heard(watched, asked, [miss])
    assert not _heard(watched, asked, [answer])
    watched.close()
    asked.put(answer)
