"""Kill -9 of a worker in each state of a job."""

import signal

import pytest

from farm_scheduler.settings import Settings
from farm_scheduler.states import JobState

from .farm import STATES, Farm, kill, wait_for


@pytest.mark.parametrize("state", STATES)
def test_a_worker_killed_in_any_state_loses_no_job(farm: Farm, state: str) -> None:
    """Its machine goes at once; the worker that is started after it has the job tried again, and it passes."""
    farm.redis()
    farm.beat()
    worker = farm.worker(HELD_AT=state)
    farm.submit()
    wait_for(farm.held.exists)
    expected = JobState.RUNNING if state == "streaming" else JobState(state)
    assert farm.job_states() == [expected]
    assert bool(farm.agents()) == (state in {"booting", "running", "streaming", "finishing"})
    kill(worker)
    wait_for(lambda: not farm.agents(), 15)
    farm.worker(HELD_AT=state)
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()


def test_a_worker_of_another_host_is_missed_in_time(farm: Farm) -> None:
    """Of a worker on another host nobody sees the process end: its lease says so, by the settings of production."""
    assert Settings.model_fields["lease_seconds"].default == farm.settings.lease_seconds
    farm.redis()
    farm.beat()
    far = farm.worker(HELD_AT="streaming", WORKER_NAME="far:1")
    farm.submit()
    wait_for(farm.held.exists)
    farm.worker()
    kill(far)
    farm.await_attempt(2)
    assert farm.attempts()[0].worker == "far:1"
    wait_for(farm.ended)
    farm.check_record()


def test_a_worker_that_was_only_silent_records_nothing(farm: Farm) -> None:
    """A worker that is stopped until its job was given to another, and then goes on, changes nothing."""
    farm.redis()
    farm.beat()
    silent = farm.worker(HELD_AT="streaming", HOLD_SECONDS="1", WORKER_NAME="far:1")
    farm.submit()
    wait_for(farm.held.exists)
    silent.send_signal(signal.SIGSTOP)
    farm.worker()
    farm.await_attempt(2)
    wait_for(farm.ended)
    silent.send_signal(signal.SIGCONT)
    wait_for(lambda: not farm.agents(), 20)
    assert len(farm.attempts()) == 2
    farm.check_record()
