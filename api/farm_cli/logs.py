"""`wheelfarm logs JOB [-f]`: what tox said in the machine of a job.

Found by main. Read from the stored stream of the newest attempt, or of the one that is asked for, and made harmless on
the way; with `--raw` it is
written as the guest wrote it, for files only. It never starts the service.
"""

import sys

import click

from farm_cli.completion import complete_job
from farm_cli.server_option import server_option

HELP = """Print the log of JOB: all that tox and the tests wrote in its machine.

\b
Examples:
  wheelfarm logs j-4hr2k8wd
  wheelfarm logs j-4hr2k8wd -f          follow it until the job ends
  wheelfarm logs j-4hr2k8wd --attempt 1
  wheelfarm logs j-4hr2k8wd --raw > log
"""


@click.command("logs", help=HELP)
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--attempt", type=click.IntRange(min=1), metavar="N", help="Of its try N; the newest by default."
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--raw", is_flag=True, help="As the guest wrote it, escape sequences and all; not for a terminal."
)
@server_option
def command(job: str, attempt: int | None, follow: bool, raw: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    from farm_cli.log_view import show_log
    from farm_cli.record import open_record
    from farm_scheduler.errors import InputError

    if raw and sys.stdout.isatty():
        raise InputError("--raw may hold escape sequences of a guest; send it to a file: --raw > FILE")
    if server is not None:
        from farm_cli.server_results import show_log_of

        show_log_of(server, job, attempt, follow=follow, raw=raw)
        return 0
    with open_record() as record:
        show_log(record, job, attempt, follow=follow, raw=raw)
    return 0
