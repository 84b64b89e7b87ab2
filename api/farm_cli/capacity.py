"""`wheelfarm capacity`: how long a load takes on so many machines, by a simulation over the farm's own scheduling.

Found by main. Durations are given, or those of recorded runs, of this farm or of one elsewhere; it starts nothing and
changes nothing.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from farm_cli.number_range import NumberRange
from farm_cli.server_option import server_option

if TYPE_CHECKING:
    from farm_scheduler.capacity import Load
    from farm_scheduler.run_report import RunReport

HELP = """Simulate how a load goes through a farm: when it is done, how long jobs wait, how busy the machines are.

The jobs are claimed by the same code as in a farm at work, on a record in memory with a clock of its own. The lower
bound beside the result is that of any order: the work over the machines, or the longest job.

\b
Examples:
  wheelfarm capacity --jobs 40 --minutes 8 --machines 5 --boot 60
  wheelfarm capacity --jobs 90 --minutes 3 --minutes 12 --projects 3 --machines 8
  wheelfarm capacity --run r-7f3k2m9q --machines 4              the recorded times of a run
  wheelfarm capacity --run r-7f3k2m9q --run r-w2k9d3mx --machines 4 --svg plan.svg
  wheelfarm capacity --run r-7f3k2m9q --server https://farm.example      its run, and its machines
"""

MOST_JOBS = 20_000


@click.command("capacity", help=HELP)
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), help="So many jobs.")
@click.option(
    "--minutes",
    type=NumberRange(0, 100_000, min_open=True),
    multiple=True,
    help="How long each takes without the boot; more than one is taken in turn.",
)
@click.option(
    "--projects", type=click.IntRange(1, 1000), default=1, help="Over so many projects, one run each."
)
@click.option(
    "--run", "runs", metavar="RUN", multiple=True, help="The jobs of a recorded run, with their times."
)
@click.option("--machines", type=click.IntRange(1, 10_000), help="At a time; by default those of this farm.")
@click.option(
    "--boot", type=NumberRange(0, 86_400), default=0.0, help="Seconds that each machine takes to boot."
)
@click.option("--svg", type=click.Path(dir_okay=False), metavar="FILE", help="Draw it: one row a machine.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
@server_option
def command(  # noqa: PLR0913 - one for each option
    *,
    jobs: int | None,
    minutes: Sequence[float],
    projects: int,
    runs: Sequence[str],
    machines: int | None,
    boot: float,
    svg: str | None,
    as_json: bool,
    server: str | None,
) -> int:
    """The subcommand; 0 when it was simulated."""
    from farm_cli.capacity_view import capacity_document, capacity_lines, write_svg
    from farm_cli.json_lines import JsonLines
    from farm_scheduler.capacity import simulate

    if runs and (jobs or minutes):
        raise click.UsageError("--run brings its jobs and their times; leave out --jobs and --minutes")
    if not runs and not (jobs and minutes):
        raise click.UsageError("say what there is to do: --jobs and --minutes, or --run")
    if not all(map(math.isfinite, (*minutes, boot))):
        raise click.UsageError("--minutes and --boot are numbers")
    loads = _recorded(runs, server) if runs else _given(jobs or 0, minutes, projects)
    count = machines if machines is not None else _machines(server)
    found = simulate(loads, machines=count, boot_seconds=boot)
    if svg is not None:
        write_svg(found, svg)
    if as_json:
        JsonLines(click.echo).tell("capacity", **capacity_document(found))
    else:
        for line in capacity_lines(found):
            click.echo(line)
    return 0


def _given(jobs: int, minutes: Sequence[float], projects: int) -> "list[Load]":
    from farm_scheduler.capacity import Load

    seconds = [60 * minutes[number % len(minutes)] for number in range(jobs)]
    names = [f"project {number + 1}" for number in range(min(projects, jobs))]
    return [
        Load(project=name, seconds=tuple(seconds[place :: len(names)])) for place, name in enumerate(names)
    ]


def _machines(server: str | None) -> int:
    """How many machines the farm has at a time."""
    if server is not None:
        from farm_cli.server_queue import read_queue_of

        return read_queue_of(server, most=1, project=None).machines
    from farm_cli.record import read_settings

    return read_settings().slots


def _recorded(runs: Sequence[str], server: str | None) -> "list[Load]":
    """The jobs of runs that ran, each run as if it were asked for at the same moment."""
    from farm_scheduler.capacity import Load
    from farm_scheduler.errors import InputError

    loads = []
    for report in _reports(runs, server):
        seconds = [cell.seconds for cell in report.cells if cell.ended and cell.seconds]
        if not seconds:
            raise InputError(
                f"no job of run {report.id} has ended in a machine; take another run", run=report.id
            )
        loads.append(Load(project=report.project, seconds=tuple(seconds)))
    return loads


def _reports(runs: Sequence[str], server: str | None) -> "list[RunReport]":
    if server is not None:
        from farm_cli.server_report import read_run
        from farm_cli.servers import open_server

        with open_server(server) as farm:
            return [read_run(farm, run) for run in runs]
    from farm_cli.record import open_record
    from farm_scheduler.run_report import read_report

    with open_record() as record, record.database.read() as session:
        return [read_report(session, run, failing=0) for run in runs]
