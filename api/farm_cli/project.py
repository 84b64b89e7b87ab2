"""`wheelfarm project`: the projects that the farm follows, the secrets of their webhooks, and their releases.

Found by main. It writes into the record, where the doors and the watcher read, here or of a farm elsewhere; it starts
no service, and fetches nothing of a project.
"""

import sys

import click

from farm_cli import project_change, project_redeliver
from farm_cli.project_change import QUOTA, WEIGHT
from farm_cli.server_option import server_option

ADD = """Add the project NAME, so that its forge's webhooks and its releases may start runs.

\b
Examples:
  wheelfarm project add demo --repository https://github.com/me/demo.git
  wheelfarm project add demo --repository https://git.example.org/me/demo.git --forge forgejo
  wheelfarm project add demo                    one that only has releases on the index
  wheelfarm project add demo --repository https://github.com/me/demo.git --server https://farm.example

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
now counts as known, but for the newest release where the index tells no upload times; nothing that comes later is
missed, even while the farm is down.

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

Mail needs WHEELFARM_SMTP_URL (smtps://USER:PASSWORD@HOST, or smtp:// with TLS where the server offers it) and
WHEELFARM_MAIL_FROM, here and where the farm runs. Links to runs need WHEELFARM_PUBLIC_URL.
"""
REMOVE = """Follow the project NAME no longer.

Its runs stay, as runs of no project; those that have not ended are cancelled. Its secrets, its listeners and what its
forge told go, and tokens for it open nothing any more. It cannot be undone.

\b
Example:
  wheelfarm project remove demo
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
@server_option
def add(
    *,
    name: str,
    repository: str | None,
    forge: str | None,
    weight: float,
    quota: int | None,
    server: str | None,
) -> int:
    """The subcommand; its exit code."""
    if server is not None:
        from farm_cli.server_project import add_there

        added = add_there(server, name, repository, forge, weight, quota)
        _say_added(added.name, added.webhook, added.secret)
        return 0
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.git_access import check_url
    from farm_scheduler.project_secrets import add_secret
    from farm_scheduler.projects import add_project
    from farm_scheduler.secret_box import secret_box

    with open_record() as record:
        box = secret_box(record.settings)
        if repository is not None:
            check_url(repository, record.settings)
        with record.database.write() as session:
            project = add_project(session, name, repository, forge, weight, quota)
            secret = add_secret(session, box, project.id)
            note_change(session, local_caller(), "project.make", project.id, project=project.name)
            forge, named = project.forge, project.name
        address = record.settings.webhook_address(forge) or f"/webhooks/{forge or 'pypi'}"
    _say_added(named, address, secret)
    return 0


def _say_added(name: str, webhook: str, secret: str) -> None:
    click.echo(f"{name} is added; its webhook is {webhook}, content type application/json", err=True)
    click.echo("the secret of its webhook, which is not shown again:", err=True)
    click.echo(secret)


@command.command("list")
@server_option
def show(server: str | None) -> int:
    """List the projects, with what is followed and what came last."""
    if server is not None:
        from farm_cli.server_project import list_there

        for line in list_there(server):
            click.echo(line)
        return 0
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
@server_option
def secret(name: str, drop_old: bool, given: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    if drop_old and given:
        raise click.UsageError("--drop-old makes no secret, and --stdin brings one; give one of them")
    word = sys.stdin.read(10_000).strip() if given else None
    if drop_old:
        dropped = _drop_old_secret(server, name)
        click.echo("only the newest secret is valid now" if dropped else "there was only one secret already")
        return 0
    made = _new_secret(server, name, word)
    if given:
        click.echo("the secret is valid now, beside the one before it")
    else:
        click.echo("the new secret, which is not shown again; the one before it stays valid:", err=True)
        click.echo(made)
    return 0


def _drop_old_secret(server: str | None, name: str) -> bool:
    """End all but the newest; whether there was another."""
    if server is not None:
        from farm_cli.server_project import drop_old_secret_there

        return drop_old_secret_there(server, name)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.project_secrets import drop_old_secret
    from farm_scheduler.projects import find_project

    with open_record() as record, record.database.write() as session:
        project = find_project(session, name)
        dropped = drop_old_secret(session, project.id)
        note_change(session, local_caller(), "project.secret", project.id, project=project.name, dropped=True)
    return dropped


def _new_secret(server: str | None, name: str, given: str | None) -> str | None:
    """Make a secret valid, a new one or the given; its text."""
    if server is not None:
        from farm_cli.server_project import new_secret_there

        return new_secret_there(server, name, given)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.project_secrets import add_secret
    from farm_scheduler.projects import find_project
    from farm_scheduler.secret_box import secret_box

    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            made = add_secret(session, box, project.id, given)
            note_change(session, local_caller(), "project.secret", project.id, project=project.name)
    return made


@command.command(
    "follow", help=FOLLOW, short_help="Follow the releases of a project, or of a pattern of names."
)
@click.argument("name")
@click.option("--stop", is_flag=True, help="Follow it no longer.")
@server_option
def follow_releases(name: str, stop: bool, server: str | None) -> int:
    """The subcommand; its exit code."""
    pattern = "*" in name or "?" in name
    if server is not None:
        from farm_cli.server_project import follow_there

        known, changed = follow_there(server, name, pattern=pattern, stop=stop)
    else:
        known, changed = _follow_here(name, pattern=pattern, stop=stop)
    now = "not followed any more" if stop else "followed from now on"
    before = "was not followed" if stop else "is followed already"
    click.echo(f"{known} is {now}" if changed else f"{known} {before}; nothing was changed")
    return 0


def _follow_here(name: str, *, pattern: bool, stop: bool) -> tuple[str, bool]:
    """Follow a name or a pattern, or stop it; its spelling in the record, and whether anything changed."""
    from farm_cli.record import local_caller, open_record
    from farm_scheduler import release_watch
    from farm_scheduler.audit import note_change
    from farm_scheduler.projects import find_project

    with open_record() as record, record.database.write() as session:
        if pattern:
            known = release_watch.read_pattern(name)
            act = release_watch.unfollow_pattern if stop else release_watch.follow_pattern
            changed = act(session, known)
        else:
            project = find_project(session, name)
            known = project.name
            changed = (release_watch.unfollow if stop else release_watch.follow)(session, project)
        if changed:
            note_change(session, local_caller(), "project.unfollow" if stop else "project.follow", known)
    return known, changed


@command.command("tell", help=TELL, short_help="Tell a forge, a webhook or a person of a project's runs.")
@click.argument("name")
@click.option("--status", is_flag=True, help="The forge, by commit statuses; the token on standard input.")
@click.option("--checks", metavar="APP", help="GitHub, by checks of an App; its key on standard input.")
@click.option("--comment", is_flag=True, help="Pull requests, by a comment; the token on standard input.")
@click.option("--webhook", metavar="URL", help="A webhook, signed after Standard Webhooks.")
@click.option("--email", metavar="ADDRESS", help="A person.")
@click.option("--stop", is_flag=True, help="Tell them no longer.")
@server_option
def tell(*, name: str, stop: bool, server: str | None, **wanted: str | bool | None) -> int:
    """The subcommand; its exit code."""
    from farm_scheduler.feedback_tables import Channel
    from farm_scheduler.listeners import OF_FORGES

    given = [Channel(each) for each, value in wanted.items() if value not in {None, False}]
    if len(given) != 1:
        raise click.UsageError("give one of --status, --checks, --comment, --webhook and --email")
    channel, place = given[0], wanted[given[0].value]
    who = WHO.get(channel.value, f"the {channel}")
    if stop:
        told = _stop_telling(server, name, channel.value)
        click.echo(f"{who} is told no longer" if told else f"{who} was not told; nothing was changed")
        return 0
    token = sys.stdin.read(10_000).strip() if channel in OF_FORGES else None
    made = _tell(server, name, channel.value, place if isinstance(place, str) else None, token)
    click.echo(f"{who} is told from now on", err=True)
    if made:
        click.echo("the secret that signs it, which is not shown again:", err=True)
        click.echo(made)
    return 0


def _stop_telling(server: str | None, name: str, channel: str) -> bool:
    """Tell them no longer; whether anybody was told."""
    if server is not None:
        from farm_cli.server_project import stop_telling_there

        return stop_telling_there(server, name, channel)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.feedback_tables import Channel
    from farm_scheduler.listeners import stop_listener
    from farm_scheduler.projects import find_project

    with open_record() as record, record.database.write() as session:
        project = find_project(session, name)
        told = stop_listener(session, project, Channel(channel))
        note_change(
            session, local_caller(), "project.untell", project.id, project=project.name, channel=channel
        )
    return told


def _tell(server: str | None, name: str, channel: str, place: str | None, token: str | None) -> str | None:
    """Tell somebody from now on; the secret of a webhook."""
    if server is not None:
        from farm_cli.server_project import tell_there

        return tell_there(server, name, channel, place=place, token=token)
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.feedback_tables import Channel
    from farm_scheduler.listeners import add_listener, check_farm
    from farm_scheduler.projects import find_project
    from farm_scheduler.secret_box import secret_box

    with open_record() as record:
        box = secret_box(record.settings)
        with record.database.write() as session:
            project = find_project(session, name)
            check_farm(Channel(channel), place, record.settings)
            made = add_listener(session, box, project, Channel(channel), place=place, token=token)
            note_change(
                session, local_caller(), "project.tell", project.id, project=project.name, channel=channel
            )
    return made


@command.command("remove", help=REMOVE, short_help="Follow a project no longer; its runs stay.")
@click.argument("name")
@server_option
def remove(name: str, server: str | None) -> int:
    """The subcommand; its exit code."""
    if server is not None:
        from farm_cli.server_project import remove_there

        gone = remove_there(server, name)
        click.echo(_removed(gone.name, gone.cancelled, gone.kept, gone.tokens))
        return 0
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.project_removal import remove_project
    from farm_scheduler.projects import find_project

    with open_record() as record, record.database.write() as session:
        done = remove_project(session, local_caller(), find_project(session, name))
    click.echo(_removed(done.name, done.cancelled, done.kept, done.tokens))
    return 0


def _removed(name: str, cancelled: int, kept: int, tokens: int) -> str:
    parts = [f"{cancelled} of its runs cancelled", f"{kept} kept", f"{tokens} tokens revoked"]
    return f"{name} is followed no longer: {', '.join(parts)}"


command.add_command(project_change.command)
command.add_command(project_redeliver.command)
