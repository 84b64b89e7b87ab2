"""`wheelfarm plan TARGET`: the cells that a run would have, and what is left out, without running anything.

Found by main. Static, like every plan: the project's code is read, never run, unless a person has a guest asked for
what no file tells. It records no run.
"""

from dataclasses import replace

import click

from farm_cli.json_lines import JsonLines
from farm_cli.matrix_options import matrix_options
from farm_cli.plan_view import plan_document, plan_lines
from farm_cli.record import Record, open_record
from farm_cli.server_option import server_option
from farm_scheduler.constraint_words import check_words
from farm_scheduler.dynamic_facts import dynamic_facts
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage
from farm_scheduler.plan import Narrowing, Note
from farm_scheduler.prospect import look_ahead, system_to_ask
from farm_scheduler.questions import FAILED_FOR, Told, read_told
from farm_scheduler.sources import Source, get_source
from farm_scheduler.systems import read_systems
from farm_scheduler.tables import now
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
  wheelfarm plan ./legacy --ask-guest
  wheelfarm plan ./myproject --installer lockfile,lowest
"""


BY_RECIPE = "its Pythons are those of its recipe, and a run bakes it first"


@click.command("plan", help=HELP)
@click.argument("target")
@matrix_options
@click.option(
    "--ask-guest", is_flag=True, help="Ask a machine for metadata that only a build tells, as a run does."
)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object.")
@server_option
def command(
    *,
    target: str,
    narrowing: Narrowing,
    ask_guest: bool,
    as_json: bool,
    server: str | None,
) -> int:
    """The subcommand; its exit code."""
    if server is not None and ask_guest:
        raise click.UsageError("--ask-guest asks a machine of this farm; a run there asks by itself")
    wanted = read_target(target)
    with open_record() as record:
        if server is None:
            check_words(narrowing.constraints, record.settings)
        images = _systems(record, server)
        system = system_to_ask(images, narrowing)
        source = get_source(wanted, record.settings)
        told = read_or_ask(record, source, system, ask_guest=ask_guest)
        found = look_ahead(source.files, images, narrowing, built=told.metadata)
    metadata = told.metadata
    project = (metadata and metadata.name) or source.project
    version = (metadata and metadata.version) or source.version
    plan = replace(found.plan, notes=(*told.notes, *found.plan.notes))
    notes = [*source.notes, *(f"{name} is not baked yet: {BY_RECIPE}" for name in found.missing)]
    if as_json:
        JsonLines(click.echo).tell("plan", **plan_document((project, version), target, plan, notes))
        return 0
    for line in plan_lines(f"{project} {version or ''}".strip(), plan, notes):
        click.echo(line)
    return 0


def _systems(record: Record, server: str | None) -> list[SystemImage]:
    """Those of this farm, or of one elsewhere."""
    if server is None:
        return read_systems(record.database, record.settings)
    from farm_cli.server_results import systems_of

    return systems_of(server)


def read_or_ask(record: Record, source: Source, system: SystemImage, *, ask_guest: bool) -> Told:
    """What is known of a source beyond its files; a machine is asked only if the person wants it.

    Raises:
        PlanError: a file of the project cannot be read, or there is no image of which a machine could be asked.
        ServiceError: the service cannot be started or kept up.
    """
    facts = dynamic_facts(source.files)
    with record.database.read() as session:
        told = read_told(session, source.sha256, system.name, facts, since=now() - FAILED_FOR)
    if told is None and ask_guest:
        if not system.baked:
            sentence = f"{system.name} is not baked yet, so no machine can be asked; the first `wheelfarm run` bakes it"
            raise PlanError(sentence, system=system.name)
        from farm_cli.guest_question import ask_and_wait

        ask_and_wait(record, source.sha256, system.name)
        with record.database.read() as session:
            told = read_told(session, source.sha256, system.name, facts)
    if told is not None:
        return told
    reason = f"{', '.join(facts)}: only a build tells; a run asks a machine for it, and so does --ask-guest"
    return Told(notes=(Note(environment=None, reason=reason),))
