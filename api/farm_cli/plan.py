"""`wheelfarm plan TARGET`: the cells that a run would have, and what is left out, without running anything.

Found by main. Static, like every plan: the project's code is read, never run, unless a person has a guest asked for
what no file tells. It records no run.
"""

from dataclasses import replace

import click

from farm_cli.json_lines import JsonLines
from farm_cli.plan_view import plan_document, plan_lines
from farm_cli.record import Record, open_record
from farm_scheduler.database import Database
from farm_scheduler.dynamic_facts import dynamic_facts
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Note
from farm_scheduler.planning import make_plan, narrow_systems
from farm_scheduler.questions import FAILED_FOR, Told, read_told
from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, now
from farm_scheduler.targets import read_target

HELP = """Show the cells of a run of TARGET and what is left out of it, without running it.

The interpreters are those of the images that this host has baked; the first run bakes what is missing.

\b
Examples:
  wheelfarm plan pluggy==1.7.0 --python 3.12
  wheelfarm plan ./demo-1.0-py3-none-any.whl
  wheelfarm plan git+https://github.com/pytest-dev/iniconfig@main --json
  wheelfarm plan ./legacy --ask-guest
"""


@click.command("plan", help=HELP)
@click.argument("target")
@click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable.")
@click.option("--os", "systems", multiple=True, metavar="NAME", help="Only this system; repeatable.")
@click.option(
    "--ask-guest", is_flag=True, help="Ask a machine for metadata that only a build tells, as a run does."
)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
def command(
    target: str, pythons: tuple[str, ...], systems: tuple[str, ...], ask_guest: bool, as_json: bool
) -> int:
    """The subcommand; its exit code."""
    wanted = read_target(target)
    narrowing = Narrowing(pythons=pythons, systems=systems)
    with open_record() as record:
        images = ready_images(record.database, record.settings)
        system = narrow_systems(images, narrowing)[0].name
        source = get_source(wanted, record.settings)
        told = read_or_ask(record, source, system, ask_guest=ask_guest)
        plan = make_plan(source.files, images, narrowing, told.metadata)
    metadata = told.metadata
    project = (metadata and metadata.name) or source.project
    version = (metadata and metadata.version) or source.version
    plan = replace(plan, notes=(*told.notes, *plan.notes))
    if as_json:
        JsonLines(click.echo).tell("plan", **plan_document((project, version), target, plan, source.notes))
        return 0
    for line in plan_lines(f"{project} {version or ''}".strip(), plan, source.notes):
        click.echo(line)
    return 0


def read_or_ask(record: Record, source: Source, system: str, *, ask_guest: bool) -> Told:
    """What is known of a source beyond its files; a machine is asked only if the person wants it.

    Raises:
        PlanError: a file of the project cannot be read.
        ServiceError: the service cannot be started or kept up.
    """
    facts = dynamic_facts(source.files)
    with record.database.read() as session:
        told = read_told(session, source.sha256, system, facts, since=now() - FAILED_FOR)
    if told is None and ask_guest:
        from farm_cli.guest_question import ask_and_wait

        ask_and_wait(record, source.sha256, system)
        with record.database.read() as session:
            told = read_told(session, source.sha256, system, facts)
    if told is not None:
        return told
    reason = f"{', '.join(facts)}: only a build tells; a run asks a machine for it, and so does --ask-guest"
    return Told(notes=(Note(environment=None, reason=reason),))


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
