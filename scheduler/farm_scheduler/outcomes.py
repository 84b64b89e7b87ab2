"""The tests of one attempt, a page at a time: filtered by how they ended, searched by name.

Called by the pages. However many tests there are, one page of them leaves the database; it never writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlmodel import Session, col, func, select

from farm_scheduler.run_report import FailingTest
from farm_scheduler.tables import Test

PAGE = 100
"""Tests on a page."""


class Outcome(StrEnum):
    """How tests ended, in the words of the filter."""

    ALL = "all"
    FAILED = "failed"
    PASSED = "passed"
    SKIPPED = "skipped"
    OTHER = "other"


STATUSES: Mapping[Outcome, tuple[str, ...]] = {
    Outcome.FAILED: ("fail", "uxsuccess", "inprogress"),
    Outcome.PASSED: ("success",),
    Outcome.SKIPPED: ("skip",),
    Outcome.OTHER: ("xfail",),
}
"""Statuses (subunit v2) by outcome; `inprogress` is a test that never ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomePage:
    """One page of tests, in the order in which they ended.

    Attributes:
        found: how many there are on all pages.
        page: from 1; the last one when a later one was asked for.
        counts: how many tests of the attempt ended how, whatever was asked for.
    """

    tests: tuple[FailingTest, ...]
    found: int
    page: int
    pages: int
    counts: Mapping[Outcome, int]


def read_outcomes(
    session: Session, attempt_id: str, *, outcome: Outcome, search: str = "", page: int = 1
) -> OutcomePage:
    """The tests of an attempt that ended so, with `search` somewhere in their name or environment."""
    counts = _counts(session, attempt_id)
    chosen = select(Test.id).where(Test.attempt_id == attempt_id).order_by(col(Test.id))
    if outcome is not Outcome.ALL:
        chosen = chosen.where(col(Test.status).in_(STATUSES[outcome]))
    if search:
        text = func.lower(col(Test.environment) + " " + col(Test.name))
        chosen = chosen.where(text.contains(search.lower(), autoescape=True))
        # One look at the names gives both the number and the page.
        keys = session.exec(chosen).all()
        found = len(keys)
        page = _within(page, found)
        keys = keys[(page - 1) * PAGE : page * PAGE]
    else:
        found = counts[outcome]
        page = _within(page, found)
        keys = session.exec(chosen.offset((page - 1) * PAGE).limit(PAGE)).all()
    tests = _rows(session, keys)
    return OutcomePage(tests=tests, found=found, page=page, pages=_pages(found), counts=counts)


def _counts(session: Session, attempt_id: str) -> Mapping[Outcome, int]:
    rows = session.exec(
        select(Test.status, func.count()).where(Test.attempt_id == attempt_id).group_by(col(Test.status))
    ).all()
    numbers = dict(rows)
    counts = {
        outcome: sum(numbers.get(status, 0) for status in wanted) for outcome, wanted in STATUSES.items()
    }
    return {Outcome.ALL: sum(numbers.values()), **counts}


def _pages(found: int) -> int:
    return max(1, -(-found // PAGE))


def _within(page: int, found: int) -> int:
    return min(max(1, page), _pages(found))


def _rows(session: Session, keys: Sequence[int | None]) -> tuple[FailingTest, ...]:
    rows = session.exec(select(Test).where(col(Test.id).in_(keys)).order_by(col(Test.id))).all()
    return tuple(
        FailingTest(
            environment=row.environment,
            name=row.name,
            status=row.status,
            seconds=row.seconds,
            message=row.message,
        )
        for row in rows
    )
