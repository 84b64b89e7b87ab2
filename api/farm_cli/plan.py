"""`wheelfarm plan TARGET`: the cells that a run would have, and what is left out, without running anything.

Found by main. Static, like every plan: the project's code is read, never run. It records no run.
"""

import click

from farm_cli.record import open_record
from farm_scheduler.database import Database
from farm_scheduler.errors import PlanError
from farm_scheduler.guest_text import clean_line
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Note, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.settings import Settings
from farm_scheduler.sources import get_source
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image
from farm_scheduler.targets import read_target

HELP = """Show the cells of a run of TARGET and what is left out of it, without running it.

The interpreters are those of the images that this host has baked; the first run bakes what is missing.

\b
Example:
  wheelfarm plan pluggy==1.7.0 --python 3.12
"""


@click.command("plan", help=HELP)
@click.argument("target")
@click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable.")
@click.option("--os", "systems", multiple=True, metavar="NAME", help="Only this system; repeatable.")
def command(target: str, pythons: tuple[str, ...], systems: tuple[str, ...]) -> int:
    """The subcommand; its exit code."""
    wanted = read_target(target)
    with open_record() as record:
        images = ready_images(record.database, record.settings)
        source = get_source(wanted, record.settings)
        plan = make_plan(source.files, images, Narrowing(pythons=pythons, systems=systems))
    title = f"{source.project} {source.version or ''}".strip()
    for line in plan_lines(title, plan, source.notes):
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


def plan_lines(title: str, plan: Plan, notes: tuple[str, ...]) -> list[str]:
    """What the subcommand prints."""
    lines = [clean_line(title)]
    width = max(len(cell.label) for cell in plan.cells)
    for cell in plan.cells:
        environments = clean_line(" ".join(cell.environments))
        lines.append(f"  {clean_line(cell.label):<{width}}  {cell.tool}: {environments}")
    if plan.inferred:
        texts = sorted({cell.inferred for cell in plan.cells if cell.inferred})
        lines += [f"  │ {clean_line(line)}" for text in texts for line in text.splitlines()]
    lines += [clean_line(f"note: {note}") for note in notes]
    lines += [_note_line(note) for note in plan.notes]
    return lines


def _note_line(note: Note) -> str:
    return clean_line(
        f"left out: {note.environment} — {note.reason}" if note.environment else f"note: {note.reason}"
    )
