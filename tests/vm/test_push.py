"""A push from its `git push` to the status of its commit: a forge, the service, real machines."""

import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select
from tests.postgres import cluster

from farm_cli import leftovers
from farm_images.catalogue import Image
from farm_scheduler.database import Database
from farm_scheduler.states import RunState
from farm_scheduler.tables import Attempt, Job, Run
from farm_scheduler.triggers import Trigger
from farm_scheduler.verdicts import Verdict

from .farm import RUN_SECONDS
from .forge import TOKEN, Forge, run_git
from .holding import qemu_processes, until
from .house import House

TOY = Path(__file__).parent.parent / "minifarm" / "passes"


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis of the test's own, on a port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(params=["embedded", "redis and postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the farm is told of its queue and its record: nothing, or where the test's own are."""
    if request.param == "embedded":
        yield {}
        return
    with redis(tmp_path) as broker, cluster() as server:
        yield {"WHEELFARM_REDIS_URL": broker, "WHEELFARM_DATABASE_URL": server.new_record()}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    """A running forge with an empty repository."""
    folder = tmp_path / "forge"
    folder.mkdir()
    forge = Forge(folder=folder)
    forge.start()
    yield forge
    forge.stop()


@pytest.fixture
def house(test_home: Path, image: Image, engine: dict[str, str], forge: Forge) -> Iterator[House]:
    """The farm, up; at its end nothing of it may be left."""
    home = Path(tempfile.mkdtemp(prefix="wheelfarm-push-"))
    home.chmod(0o755)  # the user that machines run as reads the image
    (home / "images").symlink_to(image.folder.parent.parent)
    assert image.folder.is_relative_to(test_home)
    house = House(home, engine, forge)
    yield house
    house.stop()
    assert not leftovers.marked(leftovers.mark(house.settings))
    assert not qemu_processes(home)
    shutil.rmtree(home)


def push_toy(forge: Forge, folder: Path) -> str:
    """Commit the toy project and push it; the commit."""
    shutil.copytree(TOY, folder)
    run_git(folder, "init", "-q", "-b", "main")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "one")
    assert "webhook: 202" in run_git(folder, "push", forge.url, "main")
    return run_git(folder, "rev-parse", "HEAD")


def test_a_push_ends_as_a_status_of_its_commit(house: House, forge: Forge, tmp_path: Path) -> None:
    """`git push` becomes one run of that commit in a real machine, and one status of it at the forge."""
    secret = house.call("project", "add", "toy", "--repository", forge.url, "--forge", "gitea")
    house.call("project", "tell", "toy", "--status", given=TOKEN)
    forge.tell(f"http://127.0.0.1:{house.port}/webhooks/gitea", secret)
    commit = push_toy(forge, tmp_path / "toy")

    until(lambda: any(each.state != "pending" for each in forge.statuses), seconds=RUN_SECONDS)
    assert {(each.commit, each.context) for each in forge.statuses} == {(commit, "wheelfarm")}
    assert [each.state for each in forge.statuses] == ["pending", "success"], forge.statuses

    database = Database(house.settings.record_url)
    with database.read() as session:
        run, job = session.exec(select(Run)).one(), session.exec(select(Job)).one()
        attempt = session.exec(select(Attempt)).one()
    database.close()
    assert (run.trigger, run.revision, run.ref) == (Trigger.PUSH, commit, "main")
    assert (run.state, run.exit_code) == (RunState.FINISHED, 0)
    assert (job.verdict, job.tests_passed, job.tests_total) == (Verdict.PASSED, 2, 2)
    assert (attempt.machine or "").startswith("m-")
    assert attempt.accelerator in {"kvm", "tcg"}
