"""What waits for a time of a clock that was set back waits no longer."""

from datetime import timedelta

import pytest

from farm_scheduler import clock_jumps
from farm_scheduler.claims import claim_job
from farm_scheduler.clock import simulated_time
from farm_scheduler.clock_jumps import ClockWatch, forget_the_future
from farm_scheduler.database import Database
from farm_scheduler.settings import Settings
from farm_scheduler.tables import Attempt, Job, now
from farm_scheduler.worker_lives import say_alive, silent_workers

from .queued_runs import add_images, add_run


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Those of production."""
    return Settings(home=tmp_path)


def test_a_clock_that_was_set_back_is_seen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look after the jump tells it; those before, after, and after a jump forward do not."""
    watch = ClockWatch()
    assert not watch.was_set_back()
    real = clock_jumps.time.time
    monkeypatch.setattr(clock_jumps.time, "time", lambda: real() - 3600)
    assert watch.was_set_back()
    assert not watch.was_set_back()
    monkeypatch.setattr(clock_jumps.time, "time", real)
    assert not watch.was_set_back()


def test_leases_and_waits_of_the_old_time_end_soon(record: Database, settings: Settings) -> None:
    """A lease ends within the length of one, a job that waited may begin, and no worker speaks from the future."""
    later = now() + timedelta(hours=1)
    with simulated_time(lambda: later):
        with record.write() as session:
            add_images(session)
            waits = add_run(session, "six", [30.0, 20.0])[1].id
            session.get_one(Job, waits).not_before = now() + timedelta(seconds=8)
        claim = claim_job(record, worker="far:1", lease_seconds=settings.lease_seconds)
        say_alive(record, "far:1")
    assert claim is not None
    forget_the_future(record, settings)
    soon = now() + timedelta(seconds=settings.lease_seconds)
    with record.read() as session:
        expires = session.get_one(Attempt, claim.attempt_id).lease_expires
        assert expires is not None
        assert expires <= soon
        begins = session.get_one(Job, waits).not_before
        assert begins is not None
        assert begins <= now()
    with simulated_time(lambda: soon + timedelta(seconds=1)), record.read() as session:
        assert silent_workers(session, ["far:1", "never:1"], settings.lease_seconds) == {"far:1"}


def test_a_worker_that_speaks_is_not_silent(record: Database, settings: Settings) -> None:
    """Within the length of a lease after its last word a worker counts as alive."""
    say_alive(record, "far:1")
    say_alive(record, "far:1")
    with record.read() as session:
        assert silent_workers(session, ["far:1"], settings.lease_seconds) == set()
