"""`wheelfarm project redeliver`: GitHub is asked to deliver again what did not arrive.

Added to its group by project. It writes into the record, where the worker reads; it asks nobody itself.
"""

import sys

import click

from farm_cli.server_option import server_option

HELP = """Have GitHub deliver again to NAME what did not arrive while the farm was down.

Every few minutes the farm looks through the deliveries of the last three days, and asks again for those that had no
answer or an error of the server, three times at most each. What it refused is not asked for again. A token with the
right "Webhooks: read and write" comes from standard input; with --app it is the App's private key.

\b
Examples:
  pass show forge-token | wheelfarm project redeliver demo
  wheelfarm project redeliver demo --app 12345 < my-app.private-key.pem
  wheelfarm project redeliver demo --stop
"""


@click.command("redeliver", help=HELP, short_help="Have GitHub deliver again what did not arrive.")
@click.argument("name")
@click.option("--app", metavar="APP", help="The webhook is that of the GitHub App with this id.")
@click.option("--stop", is_flag=True, help="Ask for nothing any more.")
@server_option
def command(name: str, app: str | None, stop: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    if stop and app is not None:
        raise click.UsageError("--stop needs no App; give one of them")
    if stop:
        looked, named = _stop(server, name)
        before = "is asked for again no longer" if looked else "was not asked for again; nothing was changed"
        click.echo(f"what GitHub could not deliver for {named} {before}")
        return 0
    named = _start(server, name, sys.stdin.read(10_000).strip(), app)
    click.echo(f"what GitHub could not deliver for {named} is asked for again from now on", err=True)
    return 0


def _start(server: str | None, name: str, secret: str, app: str | None) -> str:
    """Have it asked for; the project's name."""
    if server is not None:
        from farm_cli.server_project import redeliver_there

        return redeliver_there(server, name, secret, app)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.projects import find_project
    from farm_scheduler.redelivery import start_looking
    from farm_scheduler.secret_box import secret_box

    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            start_looking(session, box, project, secret, app)
            note_change(session, local_caller(), "project.redeliver", project.id, project=project.name)
            return project.name


def _stop(server: str | None, name: str) -> tuple[bool, str]:
    """Ask no longer; whether anything was asked for, and the project's name."""
    if server is not None:
        from farm_cli.server_project import stop_redelivering_there

        return stop_redelivering_there(server, name)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.projects import find_project
    from farm_scheduler.redelivery import stop_looking

    with open_record() as record, record.database.write() as session:
        project = find_project(session, name)
        looked = stop_looking(session, project)
        note_change(session, local_caller(), "project.unredeliver", project.id, project=project.name)
        return looked, project.name
