"""`wheelfarm plan TARGET`: the cells that a run would have, and what is left out, without running anything.

Found by main. Static, like every plan: the project's code is read, never run. It records no run.
"""

import click

from farm_cli.json_lines import JsonLines
from farm_cli.plan_view import plan_document, plan_lines
from farm_cli.record import open_record
from farm_scheduler.database import Database
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing
from farm_scheduler.planning import make_plan
from farm_scheduler.settings import Settings
from farm_scheduler.sources import get_source
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image
from farm_scheduler.targets import read_target

HELP = """Show the cells of a run of TARGET and what is left out of it, without running it.

The interpreters are those of the images that this host has baked; the first run bakes what is missing.

\b
Examples:
  wheelfarm plan pluggy==1.7.0 --python 3.12
  wheelfarm plan ./demo-1.0-py3-none-any.whl
  wheelfarm plan git+https://github.com/pytest-dev/iniconfig@main --json
"""


@click.command("plan", help=HELP)
@click.argument("target")
@click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable.")
@click.option("--os", "systems", multiple=True, metavar="NAME", help="Only this system; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
def command(target: str, pythons: tuple[str, ...], systems: tuple[str, ...], as_json: bool) -> int:
    """The subcommand; its exit code."""
    wanted = read_target(target)
    with open_record() as record:
        images = ready_images(record.database, record.settings)
        source = get_source(wanted, record.settings)
        plan = make_plan(source.files, images, Narrowing(pythons=pythons, systems=systems))
    if as_json:
        document = plan_document((source.project, source.version), target, plan, source.notes)
        JsonLines(click.echo).tell("plan", **document)
        return 0
    for line in plan_lines(f"{source.project} {source.version or ''}".strip(), plan, source.notes):
        click.echo(line)
    return 0


def ready_images(database: Database, settings: Settings) -> list[SystemImage]:
    """The images that this host has.

    Raises:
        PlanError: there is none yet.
    """
    with database.read() as session:
        rows = [image for name in settings.systems if (image := session.get(Image, name)) is not None]
    ready = [system_image(row.name, row.interpreters) for row in rows if row.state == ImageState.READY]
    if not ready:
        raise PlanError("no image is baked yet, so no Python is known; the first `wheelfarm run` bakes it")
    return ready
