"""`wheelfarm queue`: the jobs that wait, why each of them does, and when it is likely to begin.

Found by main. It reads the record, here or of a farm elsewhere, and changes nothing; it never starts the service.
"""

from typing import TYPE_CHECKING

import click

from farm_cli.server_option import server_option

HELP = """Show the jobs that wait, in the order in which they are likely to begin, and why each of them waits.

\b
A job waits for one of these:
  machine   its turn, and a free machine: `starts in` is when that is likely to be
  image     the image of its system is not baked yet
  parent    it needs what another job of its run makes
  quota     its project has as many jobs at work as it may
  paused    its project is paused
  retry     a moment after the farm's own fault, before it is tried again

Projects take turns by what they were given so far and by their weight; a person who waits goes before a push, and a
push before a sweep. Times are estimates from earlier runs, and assume that nothing else comes.

\b
Examples:
  wheelfarm queue                    the next 20
  wheelfarm queue -n 200             more of them
  wheelfarm queue --project six      those of one project
  wheelfarm queue --json             one documented JSON object a line
  wheelfarm queue --server https://farm.example
"""

if TYPE_CHECKING:
    from farm_scheduler.waiting import Queue

MOST = 10_000


@click.command("queue", help=HELP)
@click.option(
    "-n", "--most", type=click.IntRange(1, MOST), default=20, show_default=True, help="So many jobs."
)
@click.option("--project", metavar="NAME", help="Only the jobs of this project.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
@server_option
def command(most: int, project: str | None, as_json: bool, server: str | None) -> int:
    """The subcommand; 0 also when nothing waits."""
    from packaging.utils import canonicalize_name

    from farm_cli.json_lines import JsonLines
    from farm_cli.queue_view import queue_document, queue_lines, waiting_document

    name = canonicalize_name(project) if project is not None else None
    queue = _read_here(most, name) if server is None else _read_there(server, most, name)
    if as_json:
        lines = JsonLines(click.echo)
        lines.tell("queue", **queue_document(queue))
        for job in queue.jobs:
            lines.tell("waiting", **waiting_document(job))
        return 0
    for line in queue_lines(queue, name):
        click.echo(line)
    return 0


def _read_here(most: int, project: str | None) -> "Queue":
    from farm_cli.record import open_record
    from farm_scheduler.waiting import read_queue

    with open_record() as record, record.database.read() as session:
        return read_queue(session, record.settings, most=most, project=project)


def _read_there(server: str, most: int, project: str | None) -> "Queue":
    from farm_cli.server_queue import MOST_AT_ONCE, read_queue_of

    if most > MOST_AT_ONCE:
        raise click.UsageError(f"a farm elsewhere tells {MOST_AT_ONCE} jobs at most; give a smaller -n")
    return read_queue_of(server, most=most, project=project)
