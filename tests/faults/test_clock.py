"""The host's clock, set forward and back under a farm at work."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from .farm import RECOVERS_SECONDS, Farm, kill, wait_for

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",)
SLOW = "import time\ndef test_a(): time.sleep(6)\ndef test_b(): pass\n"


class Clock:
    """The time of day of the processes that are started with `variables`; the monotonic clock stays."""

    def __init__(self, file: Path, library: str) -> None:
        self._file = file
        self.set(0)
        self.variables = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """Put it that far ahead of the host's."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds:+d}\n")
        aside.rename(self._file)


@pytest.fixture
def clock(farm: Farm) -> Clock:
    """A clock for worker and beat."""
    found = [path for path in LIBRARIES if Path(path).exists()]
    if not found:
        pytest.skip("libfaketime is not installed; apt-get install libfaketime")
    return Clock(farm.settings.home / "clock", found[0])


def test_libfaketime_sets_the_clock_of_a_process(clock: Clock) -> None:
    """The tests here do what they say."""
    clock.set(86400)
    argv = ["date", "+%s"]
    environment = {**os.environ, **clock.variables}
    told = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert int(told) - time.time() > 86000


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_jump_under_a_job_loses_nothing(farm: Farm, clock: Clock, jump: int) -> None:
    """By an hour forward or back: the job at work, one that waits and one whose ticket is lost all pass, once each."""
    farm.redis()
    farm.beat(**clock.variables)
    farm.worker(WHEELFARM_SLOTS="1", **clock.variables)
    farm.submit(SLOW)
    wait_for(lambda: [str(each.state) for each in farm.attempts()] == ["running"])
    farm.submit()
    clock.set(jump)
    farm.submit(lost=True)
    wait_for(farm.ended, RECOVERS_SECONDS)
    farm.check_record()
    assert len(farm.attempts()) <= (3 if jump < 0 else 4)


def test_a_worker_killed_after_a_jump_back_is_missed_in_time(farm: Farm, clock: Clock) -> None:
    """Its lease ends an hour later by the clock that is; the farm does not wait for that."""
    farm.redis()
    far = farm.worker(HELD_AT="running", WORKER_NAME="far:1", **clock.variables)
    farm.submit()
    wait_for(farm.held.exists)
    kill(far)
    farm.worker(**clock.variables)
    farm.await_worker()
    clock.set(-3600)
    farm.beat(**clock.variables)
    wait_for(lambda: len(farm.attempts()) == 2, RECOVERS_SECONDS)
    wait_for(farm.ended)
    farm.check_record()
