"""How near a whole matrix comes to the ideal: `python -m benchmarks.matrix six==1.17.0`.

Runs TARGET as `wheelfarm run` does, or reads a run that has ended (`--run ID`), and prints its wall time from the first
claim to the last end beside the steps' times of all its jobs over the machines, and where the rest of the machines'
time went. Exit codes: 0 within the bound, 1 not, 2 nothing to measure, 3 the farm's own fault. Run it while nothing
else uses the farm.
"""

import argparse
import sys

from sqlmodel import col, select

from benchmarks.machine_time import MachineTime, machine_time
from farm_cli.interruption import Interruption
from farm_cli.plain_lines import PlainLines
from farm_cli.record import Record, open_record
from farm_cli.run_follower import NewRun, RunFollower
from farm_scheduler.errors import FarmError, InputError, exit_code_of
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport, read_report
from farm_scheduler.states import RunState
from farm_scheduler.tables import Attempt, Job
from farm_scheduler.targets import read_target

BOUND = 1.15
TARGET = "six==1.17.0"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", default=TARGET, help=f"what to run (default: {TARGET})")
    parser.add_argument("--run", metavar="ID", help="read this run, which has ended, instead")
    parser.add_argument("--machines", type=int, metavar="N", help="machines at a time (default: the slots)")
    arguments = parser.parse_args()
    try:
        with open_record() as record:
            report = _read(record, arguments.run) if arguments.run else _run(record, arguments.target)
            machines = arguments.machines or record.settings.slots
            found = measure(record, report, machines)
    except FarmError as error:
        print(error.sentence, file=sys.stderr)
        return exit_code_of(error)
    show(report, found)
    return 0 if found.ratio <= BOUND else 1


def measure(record: Record, report: RunReport, machines: int) -> MachineTime:
    """The time of a finished run; of one that was opened again, of what came since.

    Raises:
        InputError: it has nothing to measure.
    """
    chosen = (
        select(Attempt, Job)
        .join(Job, col(Job.id) == col(Attempt.job_id))
        .where(Job.run_id == report.id, Attempt.number > Job.attempts_before)
    )
    with record.database.read() as session:
        rows = list(session.exec(chosen).all())
    last = frozenset(cell.attempt_id for cell in report.cells if cell.attempt_id is not None)
    if report.state is not RunState.FINISHED or machines < 1:
        sentence = (
            f"run {report.id} is {report.state.value}; give one that has finished, and a machine at least"
        )
        raise InputError(sentence, run=report.id)
    try:
        return machine_time([attempt for attempt, _ in rows], last, machines)
    except LookupError as error:
        raise InputError(f"run {report.id} cannot be measured: {error}", run=report.id) from error


def _read(record: Record, run_id: str) -> RunReport:
    with record.database.read() as session:
        return read_report(session, run_id, failing=0)


def _run(record: Record, target: str) -> RunReport:
    read_target(target)
    interruption = Interruption()
    screen = PlainLines(lambda line: print(line, file=sys.stderr))
    with interruption.listening():
        return RunFollower(record, screen, interruption).run(NewRun(target=target, narrowing=Narrowing()))


def show(report: RunReport, found: MachineTime) -> None:
    """Print the figures."""

    def row(name: str, seconds: float, more: str = "") -> None:
        print(f"{name:46}{seconds:10.1f} s{more}")

    jobs = sum(cell.attempt_id is not None for cell in report.cells)
    print(f"{report.title}: {report.id}, {jobs} jobs, {found.machines} at a time")
    row("wall time, from first claim to last end", found.wall)
    row("ideal: steps of all jobs over the machines", found.ideal)
    held = "held" if found.ratio <= BOUND else "MISSED"
    print(f"{'ratio':46}{found.ratio:10.2f}    bound {BOUND:.2f}: {held}")
    whole = found.wall * found.machines
    print(f"\nof {whole:.1f} s of machines")
    for name, seconds in {"steps of jobs": found.steps, **found.parts}.items():
        row(f"  {name}", seconds, f"  {seconds / whole:6.1%}")


if __name__ == "__main__":
    sys.exit(main())
