"""The first look that finds releases of a name: what is new, and what is its history."""

from datetime import timedelta

import pytest

from farm_scheduler.tables import now

from .test_release_watch import Farm, Index, farm, index

__all__ = ["farm", "index"]


def test_the_first_release_of_a_name_is_new(farm: Farm, index: Index) -> None:
    """A name that is followed before it is on the index has its first release as an event."""
    assert farm.look() == []
    assert "has no project" in str(farm.watch().note)
    index.release("0.1")
    index.tells_times = False
    assert farm.look() == ["demo==0.1"]
    assert farm.watch().note is None


@pytest.mark.parametrize("status", [404, 503])
def test_an_index_without_times_has_its_newest_release_run(farm: Farm, index: Index, status: int) -> None:
    """What is newest when such an index first tells anything is new, and what is taken for history is said."""
    index.tells_times, index.status = False, status
    for version in ("1.9", "1.10", "1.10rc1"):
        index.release(version)
    assert farm.look() == []
    index.status = 200
    assert farm.look() == ["demo==1.10"]
    index.status = 503
    assert farm.look() == []
    index.status = 200
    assert farm.look() == []
    said = "the index tells no upload times: 1.10 counts as new, and as its history 1.10rc1, 1.9"
    assert farm.watch().note == said
    index.release("1.8.1")
    assert farm.look() == ["demo==1.8.1"]
    assert farm.watch().note is None


@pytest.mark.parametrize("empty", [False, True])
def test_an_index_that_is_behind_makes_no_history_new(farm: Farm, index: Index, *, empty: bool) -> None:
    """What was uploaded before the name was followed is known, also when the first looks found no page, or no file."""
    index.empty = empty
    assert farm.look() == []
    for number in range(30):
        index.release(f"1.{number}")
    assert farm.look() == []
    index.release("2.0")
    assert farm.look() == ["demo==2.0"]


def test_what_came_since_a_name_is_followed_is_new(farm: Farm, index: Index) -> None:
    """Where the index tells times, what was uploaded between the wish and the first look is an event."""
    ago = {"1.0": timedelta(days=9), "1.1": timedelta(minutes=4), "1.2": -timedelta(seconds=1)}
    for version, since in ago.items():
        index.release(version)
        index.uploaded[version] = (now() - since).isoformat().replace("+00:00", "Z")
    assert farm.look() == ["demo==1.1", "demo==1.2"]  # the index's clock may be a little behind
    assert farm.look() == []
