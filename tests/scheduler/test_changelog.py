"""The changelog of an index that is slow, behind or wrong: it holds nobody up, and no release is missed."""

import time

import pytest

from farm_scheduler import changelog
from farm_scheduler.errors import IndexUnavailableError
from farm_scheduler.release_watch import follow_pattern
from farm_scheduler.tables import now
from farm_scheduler.watch_tables import Changelog

from ..workers.test_slow_receivers import Drip, drip
from .test_release_watch import Farm, Index, farm, index

__all__ = ["drip", "farm", "index"]

WRONG = 30_000_000


def place(farm: Farm) -> Changelog:
    """How far the changelog was read."""
    with farm.database.read() as session:
        return session.get_one(Changelog, farm.settings.changelog_url)


@pytest.fixture
def following(farm: Farm) -> Farm:
    """A farm that follows a pattern."""
    with farm.database.write() as session:
        follow_pattern(session, "pytest-*")
    return farm


def test_one_entry_with_a_wrong_serial_stops_nothing(following: Farm, index: Index) -> None:
    """An entry beyond the changelog's end moves the place no further than the end."""
    following.look()
    index.log.append(("other", "1", 0, "new release", WRONG))
    index.release("1.0", "pytest-x")
    assert following.look() == ["pytest-x==1.0"]
    index.log.pop(0)
    for version in ("1.1", "1.2"):
        index.release(version, "pytest-x")
        assert following.look() == [f"pytest-x=={version}"]
    assert (place(following).serial, place(following).note) == (index.serial, None)


@pytest.mark.parametrize("begun", [False, True])
def test_a_place_beyond_the_changelog_is_mended(following: Farm, index: Index, *, begun: bool) -> None:
    """After an end of another index, at the first look or later, what came since is found, and no history."""
    right = index.serial
    if begun:
        following.look()
    index.log.append(("pytest-old", "1", int(now().timestamp()) - 3600, "add source file x", right))
    index.serial = WRONG
    index.log.append(("other", "1", 0, "new release", WRONG))
    assert following.look() == []
    assert place(following).serial == WRONG
    index.serial = right
    index.log.pop()
    index.release("1.0", "pytest-x")
    assert following.look() == []
    assert place(following).note == f"the index is behind: its changelog ends at serial 101, read was {WRONG}"
    index.release("1.1", "pytest-x")
    assert following.look() == ["pytest-x==1.0", "pytest-x==1.1"]
    assert (place(following).serial, place(following).note) == (index.serial, None)
    index.release("1.2", "pytest-x")
    assert following.look() == ["pytest-x==1.2"]


def test_a_changelog_that_is_behind_for_a_while_makes_nothing_twice(following: Farm, index: Index) -> None:
    """An older copy is said to be one; what it has not is neither missed nor new again when it is back."""
    following.look()
    index.release("1.0", "pytest-x")
    index.release("1.1", "pytest-x")
    assert following.look() == ["pytest-x==1.0", "pytest-x==1.1"]
    index.serial -= 1
    gone = index.log.pop()
    for _ in range(3):
        assert following.look() == []
    index.serial += 1
    index.log.append(gone)
    index.release("1.2", "pytest-x")
    assert following.look() == ["pytest-x==1.2"]
    assert (place(following).serial, place(following).note) == (index.serial, None)


def test_a_place_that_the_changelog_overtook_is_mended_as_well(following: Farm, index: Index) -> None:
    """What came before the changelog passed a wrong place is not missed where it was seen to be behind."""
    index.serial += 2
    following.look()
    index.serial -= 2
    index.release("1.0", "pytest-x")
    assert following.look() == []
    for version in ("1.1", "1.2", "1.3"):
        index.release(version, "pytest-x")
    assert following.look() == [f"pytest-x==1.{number}" for number in range(4)]
    assert place(following).note is None


@pytest.mark.parametrize("value", ["<int>-1</int>", f"<i8>{2**63}</i8>", "<string>x</string>"])
def test_an_end_that_is_no_serial_is_told(index: Index, value: str) -> None:
    """An end that the record cannot take is the index's fault."""
    answer = f"<methodResponse><params><param><value>{value}</value></param></params></methodResponse>"
    index.broken = answer.encode()
    with pytest.raises(IndexUnavailableError, match="has no last serial"):
        changelog.last_serial(f"{index.url}/pypi", 5)


def test_a_changelog_that_drips_is_told(drip: Drip, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that come one by one, in the head or in the body, are given up as a whole."""
    monkeypatch.setattr(changelog, "LONGEST", 0.5)
    begun = time.monotonic()
    with pytest.raises(IndexUnavailableError, match="does not end"):
        changelog.last_serial(f"http://{drip.host}/pypi", 3)
    assert time.monotonic() - begun < 8
