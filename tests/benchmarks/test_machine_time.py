"""The arithmetic of a matrix: parts that add up to the machines' time, and the ratio to the ideal."""

from datetime import UTC, datetime, timedelta

import pytest
from benchmarks.machine_time import machine_time
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.tables import Attempt

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def attempt(name: str, begin: float, end: float | None, **seconds: float) -> Attempt:
    """An attempt with its times in seconds after the start."""
    named = {key.replace("_", " "): value for key, value in seconds.items()}
    finished = None if end is None else START + timedelta(seconds=end)
    return Attempt(
        id=name,
        job_id="j",
        number=1,
        leased=START + timedelta(seconds=begin),
        finished=finished,
        seconds=named,
    )


def job(name: str, begin: float, end: float, *, lease: float = 2, answered: float = 1) -> Attempt:
    """One that ran its steps: a second is source, and one of talk and one of record are around them."""
    machine = end - begin - lease - 1
    steps = {"guest_source": 1.0, "guest_tox": machine - 2}
    return attempt(name, begin, end, lease=lease, answered=answered, machine=machine, **steps)


def test_two_machines_and_three_jobs() -> None:
    """Every second of the machines has its place: steps, what is around them, gaps and the end."""
    attempts = [job("a", 0, 100), job("b", 0, 60), job("c", 65, 130)]
    found = machine_time(attempts, frozenset("abc"), 2)
    assert (found.wall, found.steps) == (130, (100 - 4) + (60 - 4) + (65 - 4))
    assert found.ideal == 106.5
    assert found.ratio == pytest.approx(130 / 106.5)
    assert found.parts == {
        "waiting for a machine": 3,
        "making it, until it answers": 3,
        "sending the job, reading its stream": 3,
        "verdict and record": 3,
        "tries that came to nothing": 0,
        "without a job while jobs waited": 5,
        "without a job at the end": 30,
    }
    assert found.steps + sum(found.parts.values()) == 2 * found.wall


def test_a_try_before_the_last_is_no_step() -> None:
    """What the farm did for nothing is told apart, and does not make the ideal longer."""
    lost = attempt("a1", 0, 40, lease=1)
    found = machine_time([lost, job("a2", 50, 90)], frozenset({"a2"}), 1)
    assert found.parts["tries that came to nothing"] == 40
    assert found.parts["without a job while jobs waited"] == 10
    assert found.ideal == 36
    assert found.steps + sum(found.parts.values()) == pytest.approx(found.wall)


def test_a_run_without_steps_has_no_figure() -> None:
    """Nothing that ended, or nothing that ran its steps, is told and not divided by."""
    for attempts in ([], [attempt("a", 0, None)], [attempt("a", 0, 5, lease=1)]):
        with pytest.raises(LookupError, match="no job"):
            machine_time(attempts, frozenset("a"), 2)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(10, 300)), min_size=1, max_size=12))
def test_parts_always_add_up(spans: list[tuple[int, int]]) -> None:
    """However jobs lie, on as many machines as were ever needed the parts make up the whole."""
    attempts = [job(str(number), begin, begin + length) for number, (begin, length) in enumerate(spans)]
    found = machine_time(attempts, frozenset(str(number) for number in range(len(spans))), len(spans))
    assert found.steps + sum(found.parts.values()) == pytest.approx(found.wall * len(spans))
