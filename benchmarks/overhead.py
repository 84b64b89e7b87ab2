"""What the farm adds to a job: `python -m benchmarks.overhead`.

A small toy project is run as `wheelfarm run` runs it, several times without and with a waiting clone. The wall time of
a job, from its claim to its verdict in the record, less the project's own installs, build and commands is what the
farm adds: tox's own start and its making of environments count as ours. Prints medians of the parts, and whether the
bound is held; exit codes: 0 held, 1 missed, 3 the farm's own fault. Stop a farm that uses the same home first.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.job_parts import JobParts, job_parts
from farm_cli.interruption import Interruption
from farm_cli.plain_lines import PlainLines
from farm_cli.record import Record, open_record
from farm_cli.run_follower import NewRun, RunFollower
from farm_cli.service import Service
from farm_scheduler.errors import FarmError, RecordError, exit_code_of
from farm_scheduler.plan import Narrowing
from farm_scheduler.tables import Attempt
from farm_scheduler.verdicts import Verdict

BOUND_SECONDS = 3.0
SETTLE_SECONDS = 8.0
"""Between jobs: the machine before is destroyed and the next clone made, which is not on the path of a single job."""

PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
[project]
name = "farmtoy"
version = "1"
description = "A toy"
""",
    "farmtoy.py": '"""A toy."""\n',
    "test_farmtoy.py": "import farmtoy\n\n\ndef test_it():\n    assert farmtoy.__doc__\n",
    "tox.ini": "[tox]\nenv_list = py311\n[testenv]\ndeps = pytest\ncommands = pytest -p no:cacheprovider\n",
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--jobs", type=int, default=5, metavar="N", help="jobs to measure, each way (default: 5)"
    )
    arguments = parser.parse_args()
    try:
        cold = measure(arguments.jobs, waiting=False)
        warm = measure(arguments.jobs, waiting=True)
    except FarmError as error:
        print(error.sentence, file=sys.stderr)
        return exit_code_of(error)
    _show(cold, warm)
    return 0 if max(_median(cold), _median(warm)) <= BOUND_SECONDS else 1


def measure(jobs: int, *, waiting: bool) -> list[JobParts]:
    """The parts of so many jobs, each in a machine that was (not) waiting; the first job warms the index up.

    Raises:
        FarmError: a job was not to be had, or did not pass.
    """
    os.environ["WHEELFARM_WAITING_CLONES"] = str(waiting).lower()
    with tempfile.TemporaryDirectory() as folder, open_record() as record:
        project = Path(folder) / "farmtoy"
        project.mkdir()
        for name, text in PROJECT.items():
            (project / name).write_text(text)
        with Service(record.settings) as service:
            service.wait_until_ready()
            _job(record, project)
            measured: list[JobParts] = []
            for _ in range(3 * jobs):
                time.sleep(SETTLE_SECONDS)
                attempt, parts = _job(record, project)
                measured += [parts] if attempt.warm is waiting else []
                if len(measured) == jobs:
                    return measured
    raise RecordError(
        "the machines were not as asked for: stop the farm that uses this home, and start again"
    )


def _job(record: Record, project: Path) -> tuple[Attempt, JobParts]:
    interruption = Interruption()
    screen = PlainLines(lambda line: print(line, file=sys.stderr))
    with interruption.listening():
        wanted = NewRun(target=str(project), narrowing=Narrowing(pythons=("3.11",)))
        report = RunFollower(record, screen, interruption).run(wanted)
    for cell in report.cells:
        if cell.verdict is Verdict.PASSED and cell.stream_path is not None:
            with record.database.read() as session:
                attempt = session.get_one(Attempt, cell.attempt_id)
            return attempt, job_parts(attempt, (record.settings.home / cell.stream_path).read_bytes())
    raise RecordError(f"the toy project did not pass; see `wheelfarm results {report.id}`")


def _median(jobs: Sequence[JobParts]) -> float:
    return statistics.median(job.added for job in jobs)


def _show(cold: Sequence[JobParts], warm: Sequence[JobParts]) -> None:
    def row(name: str, seconds: Sequence[Sequence[float]]) -> None:
        print(f"{name:44}" + "".join(f"{statistics.median(each):14.2f} s" for each in seconds))

    sides = (cold, warm)
    print(f"{f'medians of {len(cold)} jobs':44}{'no clone waits':>16}{'a clone waits':>16}")
    for name in cold[0].parts:
        row(name, [[job.parts[name] for job in side] for side in sides])
    row("what the farm adds", [[job.added for job in side] for side in sides])
    row("the project's own installs and commands", [[job.own for job in side] for side in sides])
    held = ["held" if _median(side) <= BOUND_SECONDS else "MISSED" for side in sides]
    print(f"{'bound':44}{BOUND_SECONDS:14.2f} s  {held[0]}, {held[1]}")


if __name__ == "__main__":
    sys.exit(main())
