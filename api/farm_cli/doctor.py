"""`wheelfarm doctor`: the machine line by line, with what to do.

Found by main. It looks and changes nothing; the service is not started.
"""

from collections.abc import Iterator

import click

from farm_cli.checks import Finding, Level, host_checks
from farm_cli.record import open_record, read_settings
from farm_cli.server_option import server_option
from farm_images.accelerator import remembered
from farm_scheduler.errors import FarmError
from farm_scheduler.guest_text import clean_line
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image

FARMS_FAULT = 3
COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}

HELP = """Check this machine line by line, and say what to do about what is missing.

Exit code 0 when nothing failed (warnings are no failure), 3 when something did.
"""


@click.command("doctor", help=HELP)
@server_option
def command(server: str | None) -> int:
    """The subcommand; its exit code."""
    if server is not None:
        return _examine(server)
    settings = read_settings()
    failed = False
    for finding in findings(settings):
        failed = failed or finding.level is Level.FAIL
        click.echo(line(finding))
    click.echo("something is missing; see above" if failed else "this machine is fit for the farm")
    return FARMS_FAULT if failed else 0


def _examine(server: str) -> int:
    """Whether a farm elsewhere answers, and what one may do there."""
    from farm_cli.servers import open_server

    with open_server(server) as farm:
        found = farm.whoami()
        ready = [image.name for image in farm.list_images() if image.state == "ready"]
    scope = f" of {found.project}" if found.project else ""
    rights = f"{found.role}{scope} ({found.actor})"
    seen = f"{', '.join(ready)} ready" if ready else "none is ready yet"
    click.echo(line(Finding(name="server", level=Level.OK, seen=f"{farm.server} answers")))
    click.echo(line(Finding(name="rights", level=Level.OK, seen=rights)))
    click.echo(line(Finding(name="images", level=Level.OK, seen=seen)))
    return 0


def findings(settings: Settings) -> Iterator[Finding]:
    """Every line, one after the other as it is known."""
    yield from host_checks(settings)
    try:
        yield from image_findings()
    except FarmError as error:
        yield Finding(name="record", level=Level.FAIL, seen=clean_line(error.sentence))


def image_findings() -> Iterator[Finding]:
    """The images that the record knows, and what they boot under on this host."""
    with open_record() as record:
        with record.database.read() as session:
            rows = {name: session.get(Image, name) for name in record.settings.systems}
        for name, row in rows.items():
            yield _image_finding(name, row, record.settings)


def _image_finding(name: str, row: Image | None, settings: Settings) -> Finding:
    title = f"image {name}"
    if row is None:
        return Finding(name=title, level=Level.OK, seen="not baked yet; the first run that needs it bakes it")
    if row.state != ImageState.READY or row.digest is None:
        note = f" ({clean_line(row.note)})" if row.note else ""
        advice = "the next run that needs it bakes it"
        return Finding(name=title, level=Level.WARN, seen=row.state.value + note, advice=advice)
    working = sum(bool(each.get("works")) for each in row.interpreters)
    choice = remembered(settings.home, row.digest)
    under = f"{choice.accelerator}: {clean_line(choice.reason)}" if choice else "not booted yet"
    return Finding(name=title, level=Level.OK, seen=f"{working} interpreters; {under}")


def line(finding: Finding) -> str:
    """`ok    disk        62.3 GiB free`, with what to do below it."""
    word = click.style(f"{finding.level.value:<5}", fg=COLOURS[finding.level], bold=True)
    text = f"{word} {finding.name:<16} {finding.seen}"
    return text + (f"\n{'':22} → {finding.advice}" if finding.advice else "")
