"""How often, and after which wait, `wheelfarm up` starts again what ends."""

import time

import pytest

from farm_cli import tries
from farm_cli.errors import ServiceError
from farm_cli.tries import Tries

LOST = ServiceError("it ended; see x.log", log="x.log")


def test_many_tries_in_a_row_are_too_many(capsys):
    """Each is told with its wait, which grows; the last one ends in a sentence that says what ended and why."""
    row = Tries("the server of the pages")
    for _ in range(tries.MOST):
        row.lost(LOST, lasted=1.0)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "the server of the pages is started again in 0.5 s: it ended; see x.log"
    assert "in 15 s" in told[-1]
    with pytest.raises(ServiceError, match=r"^the server of the pages ended 9 times in a row, .*x\.log$"):
        row.lost(LOST, lasted=1.0)


def test_what_need_not_end_the_farm_is_tried_for_ever(capsys):
    """However often it was lost, with the longest wait between."""
    row = Tries("the server of the pages", ends_all=False)
    for _ in range(2000):
        row.lost(LOST, lasted=1.0)
    assert "in 15 s" in capsys.readouterr().err.splitlines()[-1]


def test_what_lasted_for_a_while_begins_a_new_row():
    """However often that happens."""
    row = Tries("the server of the pages")
    for _ in range(3 * tries.MOST):
        row.lost(LOST, lasted=tries.STEADY_SECONDS)


def test_a_try_is_due_after_its_wait(monkeypatch):
    """And the first one at once."""
    row = Tries("the server of the pages")
    assert row.due
    row.lost(LOST, lasted=1.0)
    assert not row.due
    later = time.monotonic() + tries.FIRST_WAIT
    monkeypatch.setattr(tries.time, "monotonic", lambda: later)
    assert row.due
