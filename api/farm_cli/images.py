"""`wheelfarm images`: the systems of this farm, their images, and the Pythons that were started in them.

Found by main. It shows what the record says, and of an image that is not baked what its recipe promises; it bakes
nothing.
"""

import click

from farm_cli.server_option import server_option

HELP = """List the systems of this farm and the Pythons of their images.

Every Python of an image that is baked was started in a machine of it. The first run that needs an image bakes it.

\b
Examples:
  wheelfarm images
  wheelfarm images -v          with all wheel tags, and where each Python is in the machine
  wheelfarm images --json      one documented JSON object for each system
"""


@click.command("images", help=HELP)
@click.option("-v", "--verbose", is_flag=True, help="All tags, and the paths in the machine.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object for each system.")
@server_option
def command(verbose: bool, as_json: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    from farm_cli.images_view import system_document, system_lines
    from farm_cli.json_lines import JsonLines
    from farm_cli.record import open_record
    from farm_scheduler.systems import describe_systems

    if server is not None:
        from farm_cli.server_results import images_of

        systems = images_of(server)
    else:
        with open_record() as record:
            systems = describe_systems(record.database, record.settings)
    for place, system in enumerate(systems):
        if as_json:
            JsonLines(click.echo).tell("system", **system_document(system))
            continue
        if place:
            click.echo()
        for line in system_lines(system, verbose=verbose):
            click.echo(line)
    return 0
