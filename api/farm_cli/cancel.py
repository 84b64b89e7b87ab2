"""`wheelfarm cancel RUN`: ends a run from another terminal.

Found by main. It writes the wish into the record, where the workers find it; it never waits for them.
"""

import click

from farm_cli.record import open_record
from farm_scheduler.runs import cancel
from farm_scheduler.states import RUN_ENDED

HELP = """Cancel RUN: what is queued never starts, what is at work is stopped.

Cancelling twice, or after the end, changes nothing.
"""


@click.command("cancel", help=HELP)
@click.argument("run")
def command(run: str) -> int:
    """The subcommand; its exit code."""
    with open_record() as record:
        row = cancel(record.database, run)
    ended = row.state in RUN_ENDED
    click.echo(f"run {row.id} is {row.state.value}" if ended else f"run {row.id} is being cancelled")
    return 0
