"""`wheelfarm login URL`: keeps a token for a farm elsewhere, after asking that farm whether it is good.

Found by main. The token is typed unseen, or comes from stdin; it is never an argument, which others could see.
"""

import sys

import click

from farm_cli.server_option import here_only

HELP = """Keep a token for the farm at URL; every command with --server URL then uses it.

An admin of the farm gives you the token (`wheelfarm token make` there). It is kept in ~/.config/wheelfarm/servers.json,
which only you can read; WHEELFARM_TOKEN goes before it.

\b
Examples:
  wheelfarm login https://farm.example
  wheelfarm login https://farm.example < token.txt
  wheelfarm run ./myproject --server https://farm.example
  wheelfarm login https://farm.example --forget
"""


@click.command("login", help=HELP)
@click.argument("url")
@click.option("--forget", is_flag=True, help="Remove the token from this machine; it stays good elsewhere.")
@here_only("the address is its argument; write wheelfarm login URL")
def command(url: str, forget: bool) -> int:
    """The subcommand; its exit code."""
    from farm_cli.servers import clean_address, keep_login, logins_file, open_server, read_logins
    from farm_scheduler.errors import InputError

    address = clean_address(url)
    if forget:
        known = address in read_logins()
        keep_login(address, None)
        click.echo(f"forgot the token for {address}" if known else f"there was no token for {address}")
        return 0
    typed = click.prompt("token", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline(1000)
    token = typed.strip()
    if not token:
        raise InputError("no token was given; type it, or send it: wheelfarm login URL < FILE")
    with open_server(address, token) as farm:
        found = farm.whoami()
    keep_login(address, token)
    scope = f" of {found.project}" if found.project else ""
    until = f", until {found.expires:%Y-%m-%d}" if found.expires else ""
    click.echo(f"logged in to {address} as {found.role}{scope} ({found.actor}){until}")
    click.echo(f"the token is in {logins_file()}")
    return 0
