"""PostgreSQL killed and started again, and a full disk of the farm's home, while jobs run."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.postgres import Cluster

from .conftest import farm_in
from .farm import RECOVERS_SECONDS, Farm, wait_for

SLOW = "import time\ndef test_a(): time.sleep(6)\ndef test_b(): pass\n"
CHATTY = """
import time
def test_a():
    for number in range(60):
        print("x" * 100_000, flush=True)
        time.sleep(0.1)
def test_b(): pass
"""
MIB = 1 << 20
AWAY_SECONDS = 5.0


def test_a_postgresql_killed_under_a_job_costs_no_result(farm_on_server: Farm, server: Cluster) -> None:
    """Killed while a job runs and another waits, away for some seconds: both pass at the first try, recorded once."""
    farm = farm_on_server
    farm.redis()
    farm.beat()
    farm.worker(WHEELFARM_SLOTS="1")
    farm.submit(SLOW)
    farm.submit()
    wait_for(lambda: [str(each.state) for each in farm.attempts()] == ["running"])
    server.kill()
    time.sleep(AWAY_SECONDS)
    server.start()
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()
    assert len(farm.attempts()) == 2


def test_a_postgresql_away_at_the_end_of_a_job_costs_no_result(farm_on_server: Farm, server: Cluster) -> None:
    """Killed when the machine has ended and the verdict is to be written: it is written when the record is back."""
    farm = farm_on_server
    farm.redis()
    farm.beat()
    farm.worker(HELD_AT="finishing", HOLD_SECONDS="2")
    farm.submit()
    wait_for(farm.held.exists)
    server.kill()
    time.sleep(AWAY_SECONDS)
    server.start()
    wait_for(farm.ended, RECOVERS_SECONDS)
    farm.check_record()
    assert len(farm.attempts()) == 1


@pytest.fixture
def small_disk(home: Path) -> Iterator[Path]:
    """A home on a disk of its own that is small."""
    if os.geteuid() != 0:
        pytest.skip("a disk of the test's own is mounted by root only")
    place = home / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place)]
    subprocess.run(mount, check=True, timeout=30)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=30)


def fill(folder: Path) -> Path:
    """Fill a disk to the last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (MIB, 4096, 1):
            try:
                while stream.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return filler


def test_a_full_disk_under_a_job_loses_nothing(small_disk: Path) -> None:
    """With no byte left while a job writes, nothing is begun; with room again every job passes."""
    with farm_in(small_disk) as farm:
        farm.redis()
        farm.beat()
        farm.worker(WHEELFARM_SLOTS="1")
        farm.submit(CHATTY)
        farm.submit()
        wait_for(lambda: [str(each.state) for each in farm.attempts()] == ["running"])
        filler = fill(small_disk)
        time.sleep(3 * AWAY_SECONDS)
        assert len(farm.attempts()) == 1
        filler.unlink()
        farm.await_attempt(2)
        wait_for(farm.ended)
        farm.check_record()
