"""How long one claim takes, with 100,000 queued jobs of 1,000 projects, on SQLite and on PostgreSQL.

    .venv/bin/python -m benchmarks.claim [--jobs 100000] [--projects 1000] [--claims 300] [--plans]

The bound beside it is the database's own: the same number of write transactions that change one row. PostgreSQL is a
server of the benchmark's own, in a temporary folder. `--plans` prints what the databases do for the search.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text
from sqlmodel import Session
from tests.postgres import cluster, programs

from farm_scheduler.claims import claim_job
from farm_scheduler.database import Database
from farm_scheduler.lanes import place, sweep_lanes
from farm_scheduler.schema import upgrade
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.tables import Cell, Image, Job, Run, now
from farm_scheduler.triggers import Trigger
from farm_scheduler.turns import candidates

SYSTEMS = ("debian-12", "debian-13", "forky")
BOUND_MILLISECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """Measure both, and say whether the bound holds for the median and for 95 of 100; 1 when it does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--projects", type=int, default=1_000)
    parser.add_argument("--claims", type=int, default=300)
    parser.add_argument("--plans", action="store_true")
    wanted = parser.parse_args(arguments)
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(
        f"{wanted.jobs} queued jobs of {wanted.projects} projects; {wanted.claims} claims, one after another"
    )
    with tempfile.TemporaryDirectory(prefix="wheelfarm-claim-") as folder:
        holds = _measure("SQLite", f"sqlite:///{Path(folder) / 'record.sqlite'}", wanted)
    if programs() is None:
        print("PostgreSQL: not installed")
    else:
        with cluster(shared_buffers="256MB") as server:
            holds = _measure("PostgreSQL", server.url(server.new_database()), wanted) and holds
    return 0 if holds else 1


def _measure(name: str, url: str, wanted: argparse.Namespace) -> bool:
    database = Database(url)
    upgrade(database)
    began = time.perf_counter()
    fill(database, jobs=wanted.jobs, projects=wanted.projects)
    print(f"{name}: filled in {time.perf_counter() - began:.1f} s")
    if wanted.plans:
        _plans(database)
    for _ in range(20):  # statements are compiled once per process
        _claim(database)
    claims, cpu = _times(wanted.claims, lambda: _claim(database))
    writes, _ = _times(wanted.claims, lambda: _write(database))
    median, (best, *_, worst) = statistics.median(claims), statistics.quantiles(claims, n=20)
    print(
        f"{name}: a claim takes {median:.2f} ms (median; p5 {best:.2f}, p95 {worst:.2f}; {cpu:.2f} ms of CPU here); "
        f"a write of one row {statistics.median(writes):.2f} ms"
    )
    found = {"median": median < BOUND_MILLISECONDS, "p95": worst < BOUND_MILLISECONDS}
    verdicts = ", ".join(f"{part} {'holds' if holds else 'MISSED'}" for part, holds in found.items())
    print(f"{name}: the bound of {BOUND_MILLISECONDS:.0f} ms: {verdicts}")
    database.close()
    return all(found.values())


def _times(count: int, work: Callable[[], None]) -> tuple[list[float], float]:
    """Milliseconds of each, and of CPU on average."""
    found, cpu = [], time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return found, (time.process_time() - cpu) * 1000 / count


def _claim(database: Database) -> None:
    assert claim_job(database, worker="benchmark:1", lease_seconds=300) is not None


def _write(database: Database) -> None:
    with database.write() as session:
        session.execute(text("UPDATE image SET progress = progress + 1 WHERE name = 'forky'"))


def fill(database: Database, *, jobs: int, projects: int, runs_each: int = 2) -> None:
    """A queue: each project has runs of all kinds, each with cells on three systems."""
    cells_each = max(1, jobs // (projects * runs_each))
    with database.write() as session:
        for system in SYSTEMS:
            session.add(Image(name=system, state=ImageState.READY, digest="d", updated=now()))
        for number in range(projects):
            for turn in range(runs_each):
                _run(
                    session, f"project{number}", cells_each, list(Trigger)[(number + turn) % 6], number + turn
                )
        session.flush()
        sweep_lanes(session, missing=True)
    with database.write_connection() as connection:
        connection.execute(text("ANALYZE"))


def _run(session: Session, project: str, count: int, trigger: Trigger, age: int) -> None:
    run = Run(target="t", project=project, source_sha256="0" * 64, state=RunState.QUEUED, trigger=trigger)
    run.created = now() - timedelta(seconds=age)
    session.add(run)
    session.flush()
    cells, jobs, models = [], [], {}
    for system in SYSTEMS:
        cell = Cell(run_id=run.id, position=0, system=system, label="", environments=["py312"])
        job = Job(run_id=run.id, cell_id="")
        place(session, run, job, system)
        models[system] = cell.model_dump(), job.model_dump()
    for position in range(count):
        cell_row, job_row = models[SYSTEMS[position % 3]]
        key = f"{run.id}-{position}"
        cells.append({**cell_row, "id": f"c-{key}", "position": position, "label": key})
        expected = 30.0 + position * 7 % 300
        jobs.append({**job_row, "id": f"j-{key}", "cell_id": f"c-{key}", "expected_seconds": expected})
    session.execute(insert(Cell), cells)
    session.execute(insert(Job), jobs)


def _plans(database: Database) -> None:
    server = database.engine.dialect.name == "postgresql"
    word = "EXPLAIN (ANALYZE, BUFFERS) " if server else "EXPLAIN QUERY PLAN "
    statement = candidates(0).params(moment=now())
    compiled = str(statement.compile(database.engine, compile_kwargs={"literal_binds": True}))
    with database.engine.connect() as connection:
        for row in connection.exec_driver_sql(word + compiled.replace("%", "%%")):
            print("   ", row[-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
