"""`wheelfarm compare JOB OTHER`: what differs between what two jobs had installed.

Found by main. It reads the record, or asks a farm elsewhere; it never starts the service, and judges nothing.
"""

import click

from farm_cli.completion import complete_job
from farm_cli.server_option import server_option

HELP = """Show what differs between what two jobs had installed: packages that were added, removed or changed.

The jobs may be of different runs. `wheelfarm results JOB` lists all that one of them had.

\b
Examples:
  wheelfarm compare j-4hr2k8wd j-9qx7m3ta
  wheelfarm compare j-4hr2k8wd j-9qx7m3ta --json
"""


@click.command("compare", help=HELP)
@click.argument("first", metavar="JOB", shell_complete=complete_job)
@click.argument("second", metavar="OTHER", shell_complete=complete_job)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
@server_option
def command(first: str, second: str, as_json: bool, server: str | None) -> int:
    """The subcommand; 0 whenever there is something to compare."""
    from farm_cli.compare_view import print_comparison

    if server is not None:
        from farm_cli.server_sets import comparison_of

        found = comparison_of(server, first, second)
    else:
        from farm_cli.record import open_record
        from farm_scheduler.installed_sets import read_sets
        from farm_scheduler.set_comparison import compare

        with open_record() as record, record.database.read() as session:
            found = compare(read_sets(session, first), read_sets(session, second))
    print_comparison(found, as_json=as_json)
    return 0
