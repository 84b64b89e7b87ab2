"""`wheelfarm gc`: removes images, templates and evidence that nobody wants any more, and says what that freed.

Found by main. What may go is the scheduler's to say, here or on the host of a farm elsewhere; it never starts the
service and may run beside it.
"""

import click

from farm_cli.server_option import server_option

KEPT = "kept: it is being baked"

HELP = """Remove what is not wanted any more from the farm's home.

\b
  images      that no run used for 30 days (WHEELFARM_KEEP_IMAGES_DAYS) and that are not the newest of their name
  templates   whose image is gone
  evidence, sources and records of downloads older than 90 days (WHEELFARM_KEEP_EVIDENCE_DAYS)

Verdicts and test results stay. What a job or a machine uses is never touched, so it may run at any time;
interrupted, it leaves nothing half removed.

\b
Examples:
  wheelfarm gc --dry-run
  WHEELFARM_KEEP_EVIDENCE_DAYS=7 wheelfarm gc
  wheelfarm gc --server https://farm.example      there, by that farm's own settings; for admins
"""


@click.command("gc", help=HELP)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@server_option
def command(dry_run: bool, server: str | None) -> int:
    """The subcommand; 0 also when there was nothing to do."""
    if server is not None:
        from farm_cli.server_garbage import dispose_there, list_there

        freed = list_there(server) if dry_run else dispose_there(server)
    else:
        freed = _collect(dry_run=dry_run)
    word = "would free" if dry_run else "freed"
    click.echo(f"{word} {size_text(freed)}" if freed is not None else "nothing to remove")
    return 0


def _collect(*, dry_run: bool) -> int | None:
    """Remove what is here, or only say it; the bytes, or None where there was nothing."""
    from farm_cli.record import local_caller, open_record
    from farm_scheduler.audit import note_change
    from farm_scheduler.disposal import dispose
    from farm_scheduler.garbage import find_garbage
    from farm_scheduler.tables import now

    freed = count = 0
    with open_record() as record:
        with record.database.read() as session:
            items = find_garbage(session, record.settings, now())
        for item in items:
            gone = dry_run or dispose(record.database, item)
            freed += item.bytes if gone else 0
            count += gone
            click.echo(garbage_line(item.kind, item.name, item.bytes, item.reason if gone else KEPT))
        if count and not dry_run:
            with record.database.write() as session:
                note_change(session, local_caller(), "garbage.remove", "home", items=count, bytes=freed)
    return freed if items else None


def garbage_line(kind: str, name: str, size: int, reason: str) -> str:
    """One thing that goes, or why it stays."""
    return f"{kind:<15}  {name:<24}  {size_text(size):>9}  {reason}"


def size_text(size: int) -> str:
    """`1.2 GiB`, `340 KiB`, `0 B`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
