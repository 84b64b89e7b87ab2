"""The figures of the benchmark of installers, and the sets that it measures with."""

from benchmarks.installer_sets import release_sets
from benchmarks.installer_tools import BARE, OURS, TOOLS
from benchmarks.installers import ROWS, misses, table


def measured(ours, other, bare=1.0):
    """Times of one group, the same in each row."""
    tools = {OURS: [ours], "tox, its own pylock": [other], BARE: [bare]}
    return {"78 packages": {row: dict(tools) for row in ROWS}}


def test_the_sets_are_exact():
    """The first set has 78 releases and six small ones follow; each names a release once, with its version."""
    sets = release_sets()
    assert [len(each.pins) for each in sets[:1]] == [78]
    assert len(sets[1:]) == 6
    for each in sets:
        assert all(pin.count("==") == 1 for pin in each.pins)
        assert len(set(each.names)) == len(each.pins)


def test_bounds_that_are_held():
    """Ours first in each row, near bare uv and near tox's own start: nothing is missed."""
    assert misses(measured(1.2, 9.0), start=1.1) == []


def test_bounds_that_are_missed():
    """Another tool that is faster, too much beyond tox's start, and too much over bare uv are told."""
    said = "\n".join(misses(measured(3.0, 2.0), start=1.0))
    assert "tox, its own pylock is faster" in said
    assert "2.00 s beyond tox's own start" in said
    assert "2.00 times bare uv" in said


def test_ours_unmeasured_is_a_miss():
    """Where ours failed the bounds are missed, not held."""
    assert len(misses({"78 packages": {row: {} for row in ROWS}}, start=1.0)) == len(ROWS)


def test_the_table_tells_medians_ratios_and_reasons():
    """Each tool has a line: its medians with how many times ours they are, or why it does not run."""
    lines = table(measured(1.0, 2.5), 0.5, {"venv-update": "too old"})
    (pylock,) = [line for line in lines if line.startswith("tox, its own pylock")]
    (old,) = [line for line in lines if line.startswith("venv-update")]
    (poetry,) = [line for line in lines if line.startswith("tox-poetry-installer")]
    assert pylock.count("2.50 s  (2.5 x)") == len(ROWS)
    assert "too old" in old
    assert poetry.count("fails") == len(ROWS)
    assert len(lines) == 3 + len(TOOLS)
