"""`wheelfarm plan TARGET`: the cells that a run would have, and what is left out, without running anything.

Found by main. Static, like every plan: the project's code is read, never run. It records no run.
"""

import click

from farm_cli.json_lines import JsonLines
from farm_cli.plan_view import plan_document, plan_lines
from farm_cli.record import open_record
from farm_scheduler.plan import Narrowing
from farm_scheduler.prospect import look_ahead
from farm_scheduler.sources import get_source
from farm_scheduler.systems import read_systems
from farm_scheduler.targets import read_target

HELP = """Show the cells of a run of TARGET and what is left out of it, without running it.

Each Python runs once, on the first system that has it; with --os on each system named (`--os all`: on every one).
The Pythons are those that were started in the images of this host. An image that is not baked yet has those of its
recipe, and the first run that needs it bakes it.

\b
Examples:
  wheelfarm plan pluggy==1.7.0 --python 3.12
  wheelfarm plan ./demo-1.0-py3-none-any.whl
  wheelfarm plan git+https://github.com/pytest-dev/iniconfig@main --json
"""


BY_RECIPE = "its Pythons are those of its recipe, and a run bakes it first"


@click.command("plan", help=HELP)
@click.argument("target")
@click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable.")
@click.option(
    "--os",
    "systems",
    multiple=True,
    metavar="NAME",
    help="Every Python of this system, or of `all`; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
def command(target: str, pythons: tuple[str, ...], systems: tuple[str, ...], as_json: bool) -> int:
    """The subcommand; its exit code."""
    wanted = read_target(target)
    with open_record() as record:
        images = read_systems(record.database, record.settings)
        source = get_source(wanted, record.settings)
        found = look_ahead(source.files, images, Narrowing(pythons=pythons, systems=systems))
    notes = [*source.notes, *(f"{name} is not baked yet: {BY_RECIPE}" for name in found.missing)]
    if as_json:
        document = plan_document((source.project, source.version), target, found.plan, notes)
        JsonLines(click.echo).tell("plan", **document)
        return 0
    for line in plan_lines(f"{source.project} {source.version or ''}".strip(), found.plan, notes):
        click.echo(line)
    return 0
