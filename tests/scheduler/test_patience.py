"""A record that is away for a moment: what was to be written is written once."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from farm_images.subunit_stream import Event
from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.ingest import Ingest
from farm_scheduler.patience import patiently
from farm_scheduler.results import Results
from farm_scheduler.tables import Step, Test

from .queued_runs import add_images, add_run


class Breaking(Database):
    """A record whose connection breaks at the writes of these turns: before the commit, or before its answer."""

    def __init__(self, url: str, *, before: set[int], after: set[int]) -> None:
        super().__init__(url)
        self._before, self._after, self._turn = before, after, -1

    @contextmanager
    def write_together(self) -> Iterator[Session]:
        """As the record's, and then it breaks."""
        self._turn += 1
        broken = OperationalError("COMMIT", {}, Exception("the connection is lost"))
        with super().write_together() as session:
            yield session
            if self._turn in self._before:
                session.flush()
                raise broken
        if self._turn in self._after:
            raise broken


def events() -> list[Event]:
    """Two tests, each with steps around them."""
    told = []
    for name in ("a", "b"):
        told.append(Event(test_id=f"farm:{name}", status="inprogress", route_code="py312", runnable=False))
        told += [
            Event(test_id=f"t::{name}", status=word, route_code="py312") for word in ("inprogress", "fail")
        ]
        told.append(Event(test_id=f"farm:{name}", status="success", route_code="py312", runnable=False))
    return told


@pytest.mark.parametrize(("before", "after"), [({0, 3, 4}, {2}), ({1}, {0, 3}), (set(), {0, 2, 4, 6})])
def test_what_was_not_answered_is_recorded_once(
    record: Database, record_url: str, before: set[int], after: set[int]
) -> None:
    """Whether a write was lost or only its answer: in the end each step and test is there, and none twice."""
    with record.write() as session:
        add_images(session)
        add_run(session, "six", [30.0])
    claim = claim_job(record, worker="host:1", lease_seconds=60)
    assert claim is not None
    breaking = Breaking(record_url, before=before, after=after)
    results = Results(["py312"])
    ingest = Ingest(breaking, results, attempt_id=claim.attempt_id, job_id=claim.job_id)
    for event in events():
        results.feed([event])
        patiently(lambda: ingest.flush(stream_bytes=1, left_seconds=None))
    breaking.close()
    with record.read() as session:
        steps = sorted((row.name, row.status) for row in session.exec(select(Step)))
        tests = sorted((row.name, row.position) for row in session.exec(select(Test)))
    assert steps == [("farm:a", "success"), ("farm:b", "success")]
    assert tests == [("t::a", 0), ("t::b", 1)]


def test_patience_has_an_end() -> None:
    """A record that stays away is an error in the end."""

    def never() -> None:
        raise OperationalError("COMMIT", {}, Exception("gone"))

    with pytest.raises(OperationalError):
        patiently(never, seconds=0)
