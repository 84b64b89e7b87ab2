"""The worker's tasks for the fault tests: a real worker whose first attempt can be held in a state.

Started as Celery's application by `Farm.worker`. Its machines are the holder's, or the real agent as a process of this
host. HELD_AT names the state, and HELD a file that says that it is reached: it is made once, so the next try runs on.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.services.jobs.conftest import AgentMachines

import farm_workers.fetching
import farm_workers.image_bake
import farm_workers.run
import farm_workers.sweep
import farm_workers.tasks
from farm_images.catalogue import Image
from farm_scheduler.claims import Claim
from farm_scheduler.claims import move as move_on
from farm_scheduler.database import Database
from farm_scheduler.ingest import Ingest
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, JobState
from farm_workers.leases import Lease
from farm_workers.machines import holder_machines
from farm_workers.run import Hands


def hold(state: str) -> None:
    """Stay here for good, if this is the state and nobody was held yet."""
    if os.environ.get("HELD_AT") != state:
        return
    with contextlib.suppress(FileExistsError):
        os.close(os.open(os.environ["HELD"], os.O_CREAT | os.O_EXCL))
        time.sleep(float(os.environ.get("HOLD_SECONDS", "600")))


class Held:
    """Machines that are given a little later when `booting` is held; MACHINES is told which, by an agent's folder."""

    def __init__(self, machines: Any) -> None:
        self._machines = machines

    @contextlib.contextmanager
    def __call__(self, image: Image, progress: Callable[[str], None]) -> Iterator[Lease]:
        """A machine of the image."""
        with self._machines(image, progress) as lease:
            given = lease.machine_id
            if isinstance(self._machines, AgentMachines):
                given = self._machines.processes[-1].args[-1]
            with Path(os.environ["MACHINES"]).open("a", encoding="utf-8") as stream:
                stream.write(f"{given}\n")
            hold("booting")
            yield lease


def move(database: Database, claim: Claim, state: JobState, **facts: object) -> None:
    """As claims', and then held; `leased` is held before the first move."""
    if state is JobState.BOOTING:
        hold("leased")
    move_on(database, claim, state, **facts)
    if state in {JobState.RUNNING, JobState.FINISHING}:
        hold(state.value)


def flush(self: Ingest, **facts: Any) -> None:
    """As the ingest's, and then held once some of the stream is there."""
    FLUSH(self, **facts)
    if facts["stream_bytes"]:
        hold("streaming")


def bake(self: Any, *, look_only: bool = False) -> None:  # noqa: ARG001 - called as the real one
    """The image is as right as it was."""
    with self._database.write() as session:
        image = session.get_one(farm_workers.image_bake.ImageRow, "debian-12")
        image.state = ImageState.READY


FLUSH = Ingest.flush
Ingest.flush = flush
farm_workers.run.move = move
farm_workers.image_bake.ImageBake.run = bake
if "WORKER_NAME" in os.environ:
    for module in (farm_workers.sweep, farm_workers.tasks, farm_workers.fetching):
        module.worker_name = lambda: os.environ["WORKER_NAME"]


def make_app() -> Any:
    """The Celery application of this worker."""
    settings = Settings()
    database = Database(settings.record_url)
    upgrade(database)
    holder = os.environ.get("HOLDER_HOME")
    machines = holder_machines(Settings(home=Path(holder))) if holder else AgentMachines()
    return farm_workers.tasks.worker_app(Hands(settings=settings, database=database, machines=Held(machines)))


app = make_app()
