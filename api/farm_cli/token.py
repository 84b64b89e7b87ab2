"""`wheelfarm token`: makes, lists and revokes tokens of the API, of this farm or of one elsewhere.

Found by main. On the farm's own host it writes the record, as whoever has a shell there could; elsewhere it asks with
the person's token. A secret is printed once, and never kept.
"""

from typing import TYPE_CHECKING

import click

from farm_cli.server_option import server_option

if TYPE_CHECKING:
    from farm_scheduler.access_tables import AccessToken
    from wheelfarm_client import models

HELP = """Make, list and revoke tokens of the API.

\b
Roles: reader (sees everything), submitter (starts runs), maintainer (of one --project), admin.

\b
Examples:
  wheelfarm token make ci --role submitter --project pluggy --days 90
  wheelfarm token list
  wheelfarm token revoke t-7f3k2m9q
"""

ROLES = ("reader", "submitter", "maintainer", "admin")


@click.group("token", help=HELP)
def command() -> None:
    """The group itself does nothing."""


@command.command("make")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do.")
@click.option("--project", metavar="NAME", help="The one project that it reaches.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How long it is good."
)
@server_option
def make(name: str, role: str, project: str | None, days: int, server: str | None) -> int:
    """Make a token called NAME, and print it, once."""
    if server is not None:
        from farm_cli.servers import open_server

        with open_server(server) as farm:
            made = farm.make_token(name, role, project=project, days=days)
            token, secret = made.token.id, made.secret
    else:
        from farm_cli.record import local_caller, open_record
        from farm_scheduler.roles import Role
        from farm_scheduler.tokens import make_token

        with open_record() as record, record.database.write() as session:
            row, secret = make_token(
                session, local_caller(), name=name, role=Role(role), project=project, days=days
            )
            token = row.id
    click.echo(secret)
    click.echo(f"token {token}: it is shown this once; give it to `wheelfarm login`", err=True)
    return 0


@command.command("list")
@server_option
def list_tokens(server: str | None) -> int:
    """List the tokens, without their secrets."""
    if server is not None:
        from farm_cli.servers import open_server

        with open_server(server) as farm:
            for token in farm.list_tokens():
                click.echo(token_line(token))
        return 0
    from farm_cli.record import open_record
    from farm_scheduler.roles import LOCAL
    from farm_scheduler.tokens import visible_tokens

    with open_record() as record, record.database.read() as session:
        rows = session.exec(visible_tokens(LOCAL)).all()
    for row in sorted(rows, key=lambda each: each.created):
        click.echo(token_line(row))
    return 0


@command.command("revoke")
@click.argument("token")
@server_option
def revoke(token: str, server: str | None) -> int:
    """End TOKEN (its id), at once and for good."""
    if server is not None:
        from farm_cli.servers import open_server

        with open_server(server) as farm:
            farm.revoke_token(token)
    else:
        from farm_cli.record import local_caller, open_record
        from farm_scheduler.tokens import revoke_token

        with open_record() as record, record.database.write() as session:
            revoke_token(session, local_caller(), token)
    click.echo(f"token {token} opens nothing any more")
    return 0


def token_line(token: "AccessToken | models.Token") -> str:
    """`t-…  submitter of pluggy  until 2027-02-19  used 2026-11-21  ci`."""
    from farm_scheduler.guest_text import clean_line

    scope = f"{token.role} of {token.project}" if token.project else str(token.role)
    until = f"until {token.expires:%Y-%m-%d}" if token.expires else "for ever"
    if token.revoked:
        until = f"revoked {token.revoked:%Y-%m-%d}"
    used = f"used {token.used:%Y-%m-%d}" if token.used else "never used"
    return "  ".join([token.id, scope, until, used, clean_line(token.name)])
