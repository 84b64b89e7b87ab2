"""The host's clock, set forward and back under a farm at work."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .farm import Farm, kill, wait_for

SOURCE = Path(__file__).with_name("clock.c")
SLOW = "import time\ndef test_a(): time.sleep(6)\ndef test_b(): pass\n"


class Clock:
    """The time of day of the processes that are started with `variables`; the monotonic clock stays right."""

    def __init__(self, file: Path, library: Path) -> None:
        self._file = file
        self.set(0)
        self.variables = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(file)}

    def set(self, seconds: int) -> None:
        """Put it that far ahead of the host's."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds}\n")
        aside.rename(self._file)


@pytest.fixture
def clock(farm: Farm) -> Clock:
    """A clock for worker and beat."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to make the wrong clock with; apt-get install gcc libc6-dev")
    library = farm.settings.home / "clock.so"
    argv = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE)]
    subprocess.run(argv, check=True, timeout=60)
    return Clock(farm.settings.home / "clock", library)


def test_the_clock_of_a_process_is_set(clock: Clock) -> None:
    """The tests here do what they say: the time of day jumps, and waiting takes as long as ever."""
    clock.set(86400)
    code = "import time; a = time.monotonic(); time.sleep(0.2); print(time.time(), time.monotonic() - a)"
    argv = [sys.executable, "-c", code]
    environment = {**os.environ, **clock.variables}
    told = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=True, timeout=20
    ).stdout
    day, waited = map(float, told.split())
    assert day - time.time() > 86000
    assert 0.2 <= waited < 10


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
    farm.await_attempt(3)
    wait_for(farm.ended)
    farm.check_record()


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
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()
