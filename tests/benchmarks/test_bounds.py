"""Benchmarks that have a bound: each prints its verdict, and ends with 1 when the bound is missed."""

import pytest
from benchmarks import claim, enqueue, makespan, webhook

from farm_scheduler.capacity import Load

SMALL_QUEUE = ["--jobs", "120", "--projects", "2", "--claims", "30"]


@pytest.mark.parametrize(
    ("benchmark", "bound", "arguments"),
    [
        (enqueue, "BOUND_SECONDS", ["--side", "2"]),
        (claim, "BOUND_MILLISECONDS", SMALL_QUEUE),
    ],
)
def test_a_missed_bound_is_an_exit_code(monkeypatch, capsys, benchmark, bound, arguments):
    """A bound that nothing misses is 0, one that nothing keeps is 1; the lines say which."""
    monkeypatch.setattr(benchmark, "programs", lambda: None)
    for value, code, word in ((1e9, 0, "holds"), (0.0, 1, "MISSED")):
        monkeypatch.setattr(benchmark, bound, value)
        assert benchmark.main(arguments) == code
        assert word in capsys.readouterr().out


def test_slow_claims_miss_the_bound_though_the_median_holds(monkeypatch, capsys):
    """One claim in ten that is slow is seen in the 95th of a hundred."""
    monkeypatch.setattr(claim, "programs", lambda: None)
    monkeypatch.setattr(
        claim, "_times", lambda count, _: ([1.0] * (count - count // 10) + [50.0] * (count // 10), 0.1)
    )
    assert claim.main(SMALL_QUEUE) == 1
    assert "median holds, p95 MISSED" in capsys.readouterr().out


@pytest.mark.parametrize(("p99", "wrong", "good"), [(49.0, 0, True), (51.0, 0, False), (10.0, 1, False)])
def test_webhooks_are_judged(capsys, p99, wrong, good):
    """Late answers and wrong ones are no success."""
    assert webhook.judge("sqlite", webhook.Measured(p99=p99, wrong=wrong)) is good
    assert ("MISSED" in capsys.readouterr().out) == (p99 > 50)


def test_a_makespan_is_judged(monkeypatch, capsys):
    """What is further above its bound than allowed is told."""
    loads = [Load(project="one", seconds=(60.0, 30.0))]
    monkeypatch.setattr(makespan, "cases", lambda: {"small": (loads, 2, 0.0)})
    assert makespan.main() == 0
    monkeypatch.setattr(makespan, "BOUND", -1.0)
    assert makespan.main() == 1
    assert "MISSED" in capsys.readouterr().out
