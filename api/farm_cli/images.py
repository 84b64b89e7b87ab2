"""`wheelfarm images`: the images of this host, and the interpreters that were started in them.

Found by main. It shows what the record says; it bakes nothing.
"""

import click

from farm_cli.record import open_record
from farm_scheduler.guest_text import clean_line
from farm_scheduler.tables import Image

HELP = """List the images of this host and the interpreters that work in them.

An image is baked by the first run that needs it.
"""


@click.command("images", help=HELP)
def command() -> int:
    """The subcommand; its exit code."""
    with open_record() as record, record.database.read() as session:
        rows = {name: session.get(Image, name) for name in record.settings.systems}
    for name, row in rows.items():
        for line in image_lines(name, row):
            click.echo(line)
    return 0


def image_lines(name: str, row: Image | None) -> list[str]:
    """One line for the image, and one for each interpreter."""
    if row is None:
        return [f"{name}  missing; the first run bakes it"]
    baked = row.baked.astimezone().strftime("%Y-%m-%d %H:%M") if row.baked else ""
    digest = (row.digest or "").removeprefix("sha256:")[:12]
    head = [name, row.state.value, digest, baked, clean_line(row.note)]
    lines = ["  ".join(part for part in head if part)]
    for each in row.interpreters:
        words = [str(each.get(key) or "") for key in ("implementation", "version", "path")]
        state = "works" if each.get("works") else f"does not work: {each.get('reason') or 'it did not start'}"
        lines.append("  " + clean_line("  ".join([*words, state])))
    return lines
