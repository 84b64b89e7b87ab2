"""Kill -9 of a worker in each state of a job that has a real machine."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.farm import STATES, Farm, kill, wait_for

from farm_scheduler.database import Database
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image

from .farm import RUN_SECONDS
from .holding import HeldHome, qemu_processes

TOY = Path(__file__).parent.parent / "minifarm" / "passes"
ALL = "WHEELFARM_TEST_ALL"
"""Set by `./farm test all`: every state, for which a CI run has no time (tests/faults has them without machines)."""

HELD = STATES if os.environ.get(ALL) else ("streaming",)


@pytest.fixture
def farm(held: HeldHome) -> Iterator[Farm]:
    """A farm with processes and a record of its own, and the machines of the run's holder."""
    with tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name:
        settings = Settings(home=Path(name), slots=1, systems=("debian-12",), job_seconds=RUN_SECONDS)
        settings.prepare()
        settings.images.rmdir()
        settings.images.symlink_to(held.image.folder.parent.parent)
        database = Database(settings.record_url)
        upgrade(database)
        python = held.image.interpreters[0]
        row = {"path": python.path, "version": python.version, "implementation": "cpython", "works": True}
        with database.write() as session:
            digest = held.image.digest
            session.add(Image(name="debian-12", state=ImageState.READY, digest=digest, interpreters=[row]))
        variables = {"HOLDER_HOME": str(held.home), "WHEELFARM_JOB_SECONDS": str(RUN_SECONDS)}
        farm = Farm(settings=settings, database=database, variables=variables)
        yield farm
        farm.stop()
        database.close()


def lives(held: HeldHome, machine: str) -> bool:
    """Whether the machine has a process."""
    for process in qemu_processes(held.home):
        with contextlib.suppress(OSError):
            if machine.encode() in (process / "cmdline").read_bytes():
                return True
    return False


@pytest.mark.parametrize("state", HELD)
def test_a_worker_killed_in_any_state_leaves_no_machine(farm: Farm, held: HeldHome, state: str) -> None:
    """Its machine goes at once, and its job passes in another that the next worker leases."""
    farm.redis()
    farm.beat()
    worker = farm.worker(HELD_AT=state)
    farm.submit(folder=TOY)
    wait_for(farm.held.exists, RUN_SECONDS)
    machines = farm.machines()
    assert [lives(held, machine) for machine in machines] == ([] if state == "leased" else [True])
    kill(worker)
    wait_for(lambda: not any(lives(held, machine) for machine in machines), 15)
    farm.worker()
    farm.await_attempt(2)
    wait_for(farm.ended, RUN_SECONDS)
    farm.check_record()
