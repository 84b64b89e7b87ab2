"""`wheelfarm cancel RUN`: ends a run from another terminal, and says what that means for its jobs.

Found by main. It writes the wish into the record, where the workers find it; it never waits for them.
"""

from typing import TYPE_CHECKING

import click

from farm_cli.completion import complete_run
from farm_cli.server_option import server_option

if TYPE_CHECKING:
    from farm_scheduler.cancellation import Cancellation

HELP = """Cancel RUN: what is queued never starts, what is at work is stopped, what has ended keeps its verdict.

Cancelling twice, or after the end, changes nothing.

\b
Example:
  wheelfarm cancel r-7f3k2m9q
"""


@click.command("cancel", help=HELP)
@click.argument("run", shell_complete=complete_run)
@server_option
def command(run: str, server: str | None) -> int:
    """The subcommand; its exit code."""
    if server is not None:
        from farm_cli.server_results import cancel_of

        click.echo(sentence(cancel_of(server, run), service_is_up=True))
        return 0
    from farm_cli.probes import listens
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.runs import cancel

    with open_record() as record:
        found = cancel(record.database, run, local_caller())
        works = listens(record.settings.farm_socket)
    click.echo(sentence(found, service_is_up=works))
    return 0


def sentence(found: "Cancellation", *, service_is_up: bool) -> str:
    """What was done, in one sentence."""
    from farm_scheduler.states import RUN_ENDED, RunState

    if found.before in RUN_ENDED:
        return f"run {found.run_id} is {found.state.value} already; nothing was changed"
    jobs = (
        (found.never_start, "never starts", "never start"),
        (found.stopping, "at work is stopped", "at work are stopped"),
        (found.ended, "had ended and keeps its verdict", "had ended and keep their verdicts"),
    )
    parts = [f"{number} {one if number == 1 else many}" for number, one, many in jobs if number]
    told = f" ({'; '.join(parts)})" if parts else ""
    if found.state in RUN_ENDED:
        waits = "; it waited for its image" if found.before == RunState.PLANNED else ""
        return f"run {found.run_id} is {found.state.value}{told}{waits}"
    again = " already" if found.before == RunState.CANCELLING else ""
    end = "" if service_is_up else "; no service is up, so it ends when the next one starts"
    return f"run {found.run_id} is being cancelled{again}{told}{end}"
