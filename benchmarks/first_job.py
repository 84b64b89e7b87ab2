"""How soon the first job of a push runs: from the webhook to a machine that has answered, part by part.

    WHEELFARM_HOME=… .venv/bin/python -m benchmarks.first_job [--pushes 5]

The home gives its image of debian-12, which must be there (`wheelfarm run` bakes it); the farm itself is one of the
benchmark's own, with a forge whose repository is small. The first push is not counted: it makes the template. What is
left out is what no farm can change: the forge's way to the door, and the network to the repository.
"""

import argparse
import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlmodel import col, select
from tests.vm.forge import TOKEN, Forge, run_git
from tests.vm.house import House

from farm_scheduler.database import Database
from farm_scheduler.event_tables import Delivery
from farm_scheduler.settings import Settings
from farm_scheduler.states import RUN_ENDED
from farm_scheduler.tables import Attempt, Run, now

BOUND_SECONDS = 1.5
PUSH_SECONDS = 600.0
TOX_INI = '[tox]\nenv_list = py311\n[testenv]\npackage = skip\ncommands = python -c "print({number})"\n'
PARTS = ("webhook to run", "run to claim", "claim to machine", "whole")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a line for each part; 1 when the whole is above the bound."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pushes", type=int, default=5)
    options = parser.parse_args(arguments)
    images = Settings().images
    if not (images / "debian-12").is_dir():
        print(f"there is no image in {images}; bake it with a run first", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="wheelfarm-first-", ignore_cleanup_errors=True) as name:
        took = measure(Path(name), images, options.pushes + 1)[1:]
    for place, part in enumerate(PARTS):
        times = sorted(each[place] for each in took)
        print(f"{part:18} median {statistics.median(times):6.2f} s  most {times[-1]:6.2f} s")
    whole = statistics.median(each[-1] for each in took)
    print(
        f"the bound of {BOUND_SECONDS} s (median of the whole) {'holds' if whole < BOUND_SECONDS else 'MISSED'}"
    )
    return 0 if whole < BOUND_SECONDS else 1


def measure(folder: Path, images: Path, pushes: int) -> list[tuple[float, ...]]:
    """The seconds of each part, for each push."""
    folder.chmod(0o755)  # the user that machines run as reads the image
    home = folder / "home"
    home.mkdir()
    (home / "images").symlink_to(images)
    forge = Forge(folder=folder)
    forge.start()
    with contextlib.ExitStack() as stack:
        stack.callback(forge.stop)
        house = House(home, {}, forge)
        stack.callback(house.stop)
        database = Database(house.settings.record_url)
        stack.callback(database.close)
        secret = house.call("project", "add", "toy", "--repository", forge.url, "--forge", "gitea")
        house.call("project", "tell", "toy", "--status", given=TOKEN)
        forge.tell(f"http://127.0.0.1:{house.port}/webhooks/gitea", secret)
        clone = folder / "clone"
        subprocess.run(["git", "init", "-q", "-b", "main", str(clone)], check=True, timeout=60)
        return [one(database, forge, clone, number) for number in range(pushes)]


def one(database: Database, forge: Forge, clone: Path, number: int) -> tuple[float, ...]:
    """Push a commit, wait for the end of its run; the seconds of each part."""
    (clone / "tox.ini").write_text(TOX_INI.format(number=number), encoding="utf-8")
    run_git(clone, "add", ".")
    run_git(clone, "commit", "-q", "-m", str(number))
    began = now()
    run_git(clone, "push", "-q", forge.url, "main")
    until(lambda: ended(database, began))
    with database.read() as session:
        delivery = session.exec(select(Delivery).where(col(Delivery.received) >= began)).one()
        run = session.exec(select(Run).where(col(Run.created) >= began)).one()
        attempt = session.exec(select(Attempt).where(col(Attempt.leased) >= began)).first()
    if attempt is None or attempt.answered is None:
        raise SystemExit(f"the job of {run.id} never ran; see the farm's log")
    moments: list[datetime] = [delivery.received, run.created, attempt.leased, attempt.answered]
    parts = [(after - before).total_seconds() for before, after in itertools.pairwise(moments)]
    print(f"push {number}: {'  '.join(f'{part:.2f} s' for part in parts)}", flush=True)
    time.sleep(5)  # the next machine is put aside meanwhile, as on a farm that is not busy
    return (*parts, sum(parts))


def ended(database: Database, began: datetime) -> bool:
    """Whether the run that was made since then has ended."""
    with database.read() as session:
        run = session.exec(select(Run).where(col(Run.created) >= began)).first()
    return run is not None and run.state in RUN_ENDED


def until(condition: Callable[[], bool]) -> None:
    """Wait for something."""
    deadline = time.monotonic() + PUSH_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the run did not end; see the farm's log")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
