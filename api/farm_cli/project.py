"""`wheelfarm project`: the projects that the farm follows, the secrets of their webhooks, and their releases.

Found by main. It writes into the record, where the doors and the watcher read; it starts no service, and
fetches nothing of a project.
"""

import sys

import click

from farm_cli import project_change, project_redeliver
from farm_cli.project_change import QUOTA, WEIGHT

ADD = """Add the project NAME, so that its forge's webhooks and its releases may start runs.

\b
Examples:
  wheelfarm project add demo --repository https://github.com/me/demo.git
  wheelfarm project add demo --repository https://git.example.org/me/demo.git --forge forgejo
  wheelfarm project add demo                    one that only has releases on the index

It prints the secret of its webhook, once. Then, at the forge: address https://YOUR-FARM/webhooks/FORGE, content type
application/json, that secret, and the events push, pull request and release.
"""
ANEW = """Make a new secret for the webhook of NAME, and print it: it cannot be shown again.

The one before stays valid until the next, so nothing is refused while you change it at the forge; --drop-old ends it.

\b
Examples:
  wheelfarm project secret demo                 a new one
  wheelfarm project secret demo --drop-old      only the newest is valid from now on
  pass show gitlab | wheelfarm project secret demo --stdin      one that the forge made
"""
FOLLOW = """Follow the releases of NAME on the package index: each new one becomes a run.

NAME may be a pattern with * or ? (quote it): every name that fits is followed, by the index's changelog. What is there
now counts as known; nothing that comes later is missed, even while the farm is down.

\b
Examples:
  wheelfarm project follow demo
  wheelfarm project follow 'pytest-*'
  wheelfarm project follow demo --stop
"""

TELL = """Tell somebody of the runs of NAME.

--status gives each commit a status at the project's forge; its token comes from standard input. --checks gives it a
check of GitHub instead, with the failing tests as annotations: as the App with this id, whose private key comes from
standard input. --comment keeps up one comment on each pull request (GitHub, GitLab, Forgejo, Gitea); its token comes
from standard input. --webhook and --email are told of changes only: the first run that is not as expected, and the
first that is again.

\b
Examples:
  pass show forge-token | wheelfarm project tell demo --status
  wheelfarm project tell demo --checks 12345 < my-app.private-key.pem
  pass show forge-token | wheelfarm project tell demo --comment
  wheelfarm project tell demo --webhook https://chat.example.org/hook      prints the secret that signs it
  wheelfarm project tell demo --email me@example.org
  wheelfarm project tell demo --email me@example.org --stop

Mail needs WHEELFARM_SMTP_URL, and links to runs WHEELFARM_PUBLIC_URL.
"""


WHO = {"status": "the forge", "checks": "GitHub", "comment": "each pull request"}


@click.group("project", no_args_is_help=True)
def command() -> None:
    """The projects that the farm follows: their repositories, webhooks and releases."""


@command.command("add", help=ADD, short_help="Add a project, and print the secret of its webhook.")
@click.argument("name")
@click.option("--repository", metavar="URL", help="Where its source is: the URL that git clones.")
@click.option("--forge", help="What the repository's host runs, where the farm does not know it.")
@click.option("--weight", default=1.0, show_default=True, type=WEIGHT,
              help="Its share of the farm beside the others'.")  # fmt: skip
@click.option(
    "--quota", type=QUOTA, help="How many of its jobs may be at work at a time.  [default: any number]"
)
def add(name: str, repository: str | None, forge: str | None, weight: float, quota: int | None) -> int:
    """The subcommand; its exit code."""
    from farm_cli.record import open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.git_access import check_access
    from farm_scheduler.project_secrets import add_secret
    from farm_scheduler.projects import add_project
    from farm_scheduler.roles import LOCAL
    from farm_scheduler.secret_box import secret_box

    with open_record() as record:
        box = secret_box(record.settings)
        if repository is not None:
            check_access(repository, record.settings)
        with record.database.write() as session:
            project = add_project(session, name, repository, forge, weight, quota)
            secret = add_secret(session, box, project.id)
            note_change(session, LOCAL, "project.make", project.id, project=project.name)
            door = f"/webhooks/{project.forge or 'pypi'}"
            named = project.name
        address = record.settings.public_url.rstrip("/") + door
    click.echo(f"{named} is added; its webhook is {address}, content type application/json", err=True)
    click.echo("the secret of its webhook, which is not shown again:", err=True)
    click.echo(secret)
    return 0


@command.command("list")
def show() -> int:
    """List the projects, with what is followed and what came last."""
    from farm_cli.project_view import lines
    from farm_cli.record import open_record

    with open_record() as record, record.database.read() as session:
        for line in lines(session):
            click.echo(line)
    return 0


@command.command("secret", help=ANEW, short_help="Make a new secret for a project's webhook.")
@click.argument("name")
@click.option("--drop-old", is_flag=True, help="End the secret before the newest; makes no new one.")
@click.option(
    "--stdin", "given", is_flag=True, help="Take the secret from standard input, as a forge made it."
)
def secret(name: str, drop_old: bool, given: bool) -> int:
    """The subcommand; its exit code."""
    from farm_cli.record import open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.project_secrets import add_secret, drop_old_secret
    from farm_scheduler.projects import find_project
    from farm_scheduler.roles import LOCAL
    from farm_scheduler.secret_box import secret_box

    if drop_old and given:
        raise click.UsageError("--drop-old makes no secret, and --stdin brings one; give one of them")
    word = sys.stdin.read(10_000).strip() if given else None
    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            if drop_old:
                dropped = drop_old_secret(session, project.id)
            else:
                made = add_secret(session, box, project.id, word)
            note_change(session, LOCAL, "project.secret", project.id, project=project.name, dropped=drop_old)
    if drop_old:
        click.echo("only the newest secret is valid now" if dropped else "there was only one secret already")
    elif given:
        click.echo("the secret is valid now, beside the one before it")
    else:
        click.echo("the new secret, which is not shown again; the one before it stays valid:", err=True)
        click.echo(made)
    return 0


@command.command(
    "follow", help=FOLLOW, short_help="Follow the releases of a project, or of a pattern of names."
)
@click.argument("name")
@click.option("--stop", is_flag=True, help="Follow it no longer.")
def follow_releases(name: str, stop: bool) -> int:
    """The subcommand; its exit code."""
    from farm_cli.record import open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.projects import find_project
    from farm_scheduler.release_watch import follow, follow_pattern, unfollow, unfollow_pattern
    from farm_scheduler.roles import LOCAL

    pattern = "*" in name or "?" in name
    with open_record() as record, record.database.write() as session:
        if pattern:
            known = name.lower()
            changed = unfollow_pattern(session, known) if stop else follow_pattern(session, known)
        else:
            project = find_project(session, name)
            known = project.name
            changed = unfollow(session, project) if stop else follow(session, project)
        if changed:
            note_change(session, LOCAL, "project.unfollow" if stop else "project.follow", known)
    now = "not followed any more" if stop else "followed from now on"
    before = "was not followed" if stop else "is followed already"
    click.echo(f"{known} is {now}" if changed else f"{known} {before}; nothing was changed")
    return 0


@command.command("tell", help=TELL, short_help="Tell a forge, a webhook or a person of a project's runs.")
@click.argument("name")
@click.option("--status", is_flag=True, help="The forge, by commit statuses; the token on standard input.")
@click.option("--checks", metavar="APP", help="GitHub, by checks of an App; its key on standard input.")
@click.option("--comment", is_flag=True, help="Pull requests, by a comment; the token on standard input.")
@click.option("--webhook", metavar="URL", help="A webhook, signed after Standard Webhooks.")
@click.option("--email", metavar="ADDRESS", help="A person.")
@click.option("--stop", is_flag=True, help="Tell them no longer.")
def tell(name: str, stop: bool, **wanted: str | bool | None) -> int:
    """The subcommand; its exit code."""
    from farm_cli.record import open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.feedback_tables import Channel
    from farm_scheduler.listeners import OF_FORGES, add_listener, stop_listener
    from farm_scheduler.projects import find_project
    from farm_scheduler.roles import LOCAL
    from farm_scheduler.secret_box import secret_box

    given = [Channel(each) for each, value in wanted.items() if value not in {None, False}]
    if len(given) != 1:
        raise click.UsageError("give one of --status, --checks, --comment, --webhook and --email")
    channel, place = given[0], wanted[given[0].value]
    who = WHO.get(channel.value, f"the {channel}")
    token = sys.stdin.read(10_000).strip() if channel in OF_FORGES and not stop else None
    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            if stop:
                told = stop_listener(session, project, channel)
            else:
                where = place if isinstance(place, str) else None
                made = add_listener(session, box, project, channel, place=where, token=token)
            action = "project.untell" if stop else "project.tell"
            note_change(session, LOCAL, action, project.id, project=project.name, channel=channel.value)
    if stop:
        click.echo(f"{who} is told no longer" if told else f"{who} was not told; nothing was changed")
        return 0
    click.echo(f"{who} is told from now on", err=True)
    if made:
        click.echo("the secret that signs it, which is not shown again:", err=True)
        click.echo(made)
    return 0


command.add_command(project_change.command)
command.add_command(project_redeliver.command)
