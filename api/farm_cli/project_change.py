"""`wheelfarm project change`: a project's share of the farm, its quota, and whether its jobs wait.

Added to its group by project. It writes into the record, here or of a farm elsewhere; it never ends what is at work.
"""

import click

from farm_cli.number_range import NumberRange
from farm_cli.server_option import server_option

HELP = """Change how much of the farm the project NAME has; what is not given stays.

\b
Examples:
  wheelfarm project change demo --weight 2     twice the share of a project of weight 1
  wheelfarm project change demo --quota 4      four of its jobs at work at a time, at most
  wheelfarm project change demo --no-quota     as many as there are machines
  wheelfarm project change demo --pause        its jobs wait; what is at work goes on to its end
  wheelfarm project change demo --resume
  wheelfarm project change demo --pause --server https://farm.example
"""
WEIGHT = NumberRange(0.01, 100)
QUOTA = click.IntRange(0, 100_000)


@click.command(
    "change", help=HELP, short_help="Change a project's weight or quota, pause it, or let it go on."
)
@click.argument("name")
@click.option("--weight", type=WEIGHT, help="Its share of the farm beside the others'.")
@click.option("--quota", type=QUOTA, help="How many of its jobs may be at work at a time.")
@click.option("--no-quota", is_flag=True, help="Any number of them.")
@click.option("--pause", is_flag=True, help="Let its jobs wait.")
@click.option("--resume", is_flag=True, help="Let them go on.")
@server_option
def command(
    name: str,
    *,
    weight: float | None,
    quota: int | None,
    no_quota: bool,
    pause: bool,
    resume: bool,
    server: str | None,
) -> int:
    """The subcommand; its exit code."""
    if quota is not None and no_quota:
        raise click.UsageError("--quota gives a bound, and --no-quota takes it away; give one of them")
    if pause and resume:
        raise click.UsageError("--pause lets its jobs wait, and --resume lets them go on; give one of them")
    paused = pause if pause or resume else None
    if weight is None and quota is None and paused is None and not no_quota:
        raise click.UsageError("give what to change: --weight, --quota, --no-quota, --pause or --resume")
    if server is not None:
        from farm_cli.servers import open_server

        with open_server(server) as farm:
            there = farm.change_project(name, paused=paused, weight=weight, quota=quota, no_quota=no_quota)
        click.echo(_sentence(there.name, there.weight, there.quota, paused=there.paused))
        return 0
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.projects import find_project

    wanted = {"paused": paused, "weight": weight, "quota": quota}
    changes: dict[str, float | None] = {key: value for key, value in wanted.items() if value is not None}
    if no_quota:
        changes["quota"] = None
    with open_record() as record, record.database.write() as session:
        project = find_project(session, name)
        for key, value in changes.items():
            setattr(project, key, value)
        told = {**changes, "no_quota": no_quota or None}
        note_change(session, local_caller(), "project.change", project.id, project=project.name, **told)
    click.echo(_sentence(project.name, project.weight, project.quota, paused=project.paused))
    return 0


def _sentence(name: str, weight: float, quota: int | None, *, paused: bool) -> str:
    bound = "no quota" if quota is None else f"quota {quota}"
    return f"{name} has weight {weight:g} and {bound}{'; it is paused' if paused else ''}"
