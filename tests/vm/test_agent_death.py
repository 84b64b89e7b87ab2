"""The agent of a real machine, killed by the job that it runs, which no job can do in a machine as it is."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlmodel import select
from tests.services.jobs.test_run_job import Sent

from farm_images import catalogue
from farm_scheduler import runs
from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.plan import Narrowing
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState, JobState
from farm_scheduler.tables import Attempt, Image, Job
from farm_scheduler.verdicts import Verdict
from farm_workers.leases import Lease, LeaseRequest, lease
from farm_workers.run import Hands, run_claim

from .holding import HeldHome

SPARE = b"# What udev would do, at its cost: the names of the serial ports."
"""A comment of the initrd's script, once the root is mounted. Its place is for a command of the test."""

HAND_OUT_RIGHTS = b"cp /root/usr/bin/python3 /root/k; chmod 4755 /root/k"
"""`/k` is a Python with root's rights for everyone."""

TOX_INI = "[tox]\nenv_list = py311\n[testenv]\npackage = skip\nallowlist_externals = /k\ncommands = /k -I -S kill.py\n"
KILL = """
import os, time
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().split(b"\\0")
    if b"/opt/wheelfarm/agent.pyz" in words and b"--starter" not in words:
        os.kill(int(pid), 9)
time.sleep(600)
"""


def _machines(
    held: HeldHome, initrd: Path
) -> Callable[[catalogue.Image, Callable[[str], None]], AbstractContextManager[Lease]]:
    """Machines that boot with another initrd, from no template."""

    def machine(image: catalogue.Image, progress: Callable[[str], None]) -> AbstractContextManager[Lease]:
        request = LeaseRequest.of(image, memory_mib=768, vcpus=1, template=False, warm=False)
        request = dataclasses.replace(request, image=dataclasses.replace(request.image, initrd=initrd))
        return lease(held.socket, request, timeout=400, progress=progress)

    return machine


@pytest.fixture
def hands(held: HeldHome, test_home: Path, tmp_path: Path) -> Iterator[Hands]:
    """The hands of a farm of its own, over the image and the holder of the run."""
    settings = Settings(home=tmp_path / "home", job_seconds=120, systems=("debian-12",))
    settings.prepare()
    settings.images.rmdir()
    settings.images.symlink_to(test_home / "images")
    script = held.image.initrd.read_bytes()
    assert script.count(SPARE) == 1
    initrd = test_home / "initrd-of-a-killer"
    initrd.write_bytes(script.replace(SPARE, HAND_OUT_RIGHTS.ljust(len(SPARE))))
    python = held.image.interpreters[0]
    row = {"path": python.path, "version": python.version, "implementation": "cpython", "works": True}
    database = Database(settings.record_url)
    upgrade(database)
    with database.write() as session:
        digest = held.image.digest
        session.add(Image(name="debian-12", state=ImageState.READY, digest=digest, interpreters=[row]))
    yield Hands(settings=settings, database=database, machines=_machines(held, initrd))
    database.close()
    initrd.unlink()


def test_an_agent_that_dies_amid_a_job_says_so(hands: Hands, tmp_path: Path) -> None:
    """The agent is started anew, calls it the farm's fault, and the job waits for another machine."""
    project = tmp_path / "toy"
    project.mkdir()
    (project / "tox.ini").write_text(TOX_INI, encoding="utf-8")
    (project / "kill.py").write_text(KILL, encoding="utf-8")
    runs.submit(hands.database, Sent(), hands.settings, str(project), Narrowing(), retries=0)
    claim = claim_job(hands.database, worker="test:1", lease_seconds=60)
    assert claim is not None
    assert run_claim(hands, claim) is True
    with hands.database.read() as session:
        job, attempt = session.exec(select(Job)).one(), session.exec(select(Attempt)).one()
    assert (job.state, job.verdict) == (JobState.QUEUED, None)
    assert attempt.verdict is Verdict.FARM_ERROR, attempt.reason
    assert attempt.reason == "the agent in the machine died in the middle of the job, and was started anew"
