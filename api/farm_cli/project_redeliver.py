"""`wheelfarm project redeliver`: GitHub is asked to deliver again what did not arrive.

Added to its group by project. It writes into the record, where the worker reads; it asks nobody itself.
"""

import sys

import click

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
def command(name: str, app: str | None, stop: bool) -> int:
    """The subcommand; its exit code."""
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.listeners import check_app, check_token
    from farm_scheduler.projects import find_project
    from farm_scheduler.redelivery import start_looking, stop_looking
    from farm_scheduler.secret_box import secret_box

    if stop and app is not None:
        raise click.UsageError("--stop needs no App; give one of them")
    secret = "" if stop else sys.stdin.read(10_000).strip()
    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            if stop:
                looked = stop_looking(session, project)
            else:
                if app is None:
                    check_token(secret)
                else:
                    check_app(app, secret)
                start_looking(session, box, project, secret, app)
            action = "project.unredeliver" if stop else "project.redeliver"
            note_change(session, local_caller(), action, project.id, project=project.name)
            named = project.name
    if stop:
        before = "is asked for again no longer" if looked else "was not asked for again; nothing was changed"
        click.echo(f"what GitHub could not deliver for {named} {before}")
    else:
        click.echo(f"what GitHub could not deliver for {named} is asked for again from now on", err=True)
    return 0
