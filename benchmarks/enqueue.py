"""How long it takes to plan a run of 10,000 cells and to put its jobs into the queue, on SQLite and on PostgreSQL.

    .venv/bin/python -m benchmarks.enqueue [--side 100]

The project is a folder with a tox environment for each of 100 Pythons; the farm has 100 systems with all of them. The
tickets go to an engine that only counts them: the farm sends a thousand at most, and the rest as they are used up.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from celery import Celery
from sqlmodel import func, select
from tests.postgres import cluster, programs

from farm_scheduler import runs
from farm_scheduler.database import Database
from farm_scheduler.plan import ALL_SYSTEMS, Narrowing
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, Job, now

BOUND_SECONDS = 5.0


class CountingEngine:
    """An engine that counts what is published."""

    def __init__(self) -> None:
        self.messages = 0

    def send_task(self, *_: Any, **__: Any) -> None:
        """Count one message."""
        self.messages += 1


def main(arguments: Sequence[str]) -> int:
    """Measure both, and say whether the bound holds; 1 when it does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=100, help="so many Pythons and as many systems")
    side = parser.parse_args(arguments).side
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="wheelfarm-enqueue-") as name:
        folder = Path(name)
        holds = _measure("SQLite", f"sqlite:///{folder / 'record.sqlite'}", folder, side)
        if programs() is None:
            print("PostgreSQL: not installed")
        else:
            with cluster() as server:
                holds = _measure("PostgreSQL", server.new_record(), folder, side) and holds
    return 0 if holds else 1


def _measure(name: str, url: str, folder: Path, side: int) -> bool:
    systems = tuple(f"system{number}" for number in range(side))
    settings = Settings(
        home=folder / name,
        database_url=url,
        systems=systems,
        pyenv_root=None,
        python_mirror="http://127.0.0.1:9/",
    )
    settings.prepare()
    database, engine = Database(url), CountingEngine()
    upgrade(database)
    _images(database, systems, side)
    project = _project(folder / f"project-{name}", side)
    began, cpu = time.perf_counter(), time.process_time()
    run = runs.submit(
        database, cast("Celery", engine), settings, str(project), Narrowing(systems=(ALL_SYSTEMS,))
    )
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    with database.read() as session:
        jobs = session.exec(select(func.count()).select_from(Job).where(Job.run_id == run.id)).one()
    holds = seconds < BOUND_SECONDS
    print(
        f"{name}: {jobs} cells planned and queued in {seconds:.2f} s ({cpu:.2f} s of CPU here), "
        f"{engine.messages} tickets; the bound of {BOUND_SECONDS:.0f} s {'holds' if holds else 'MISSED'}"
    )
    database.close()
    return holds


def _images(database: Database, systems: tuple[str, ...], side: int) -> None:
    pythons = [
        {"version": f"3.{minor}.0", "implementation": "cpython", "works": True, "path": ""}
        for minor in range(side)
    ]
    with database.write() as session:
        for system in systems:
            row = Image(name=system, state=ImageState.READY, digest="d", interpreters=pythons, updated=now())
            session.add(row)


def _project(folder: Path, side: int) -> Path:
    folder.mkdir()
    names = ", ".join(f"py3{minor}" for minor in range(side))
    (folder / "tox.ini").write_text(f"[tox]\nenv_list = {names}\n[testenv]\ncommands = pytest\n")
    return folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
