"""`wheelfarm gc`: removes images, templates and evidence that nobody wants any more, and says what that freed.

Found by main. What may go is the scheduler's to say; it never starts the service and may run beside it.
"""

import click

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
"""


@click.command("gc", help=HELP)
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
def command(dry_run: bool) -> int:
    """The subcommand; 0 also when there was nothing to do."""
    from farm_cli.record import open_record
    from farm_scheduler.disposal import dispose
    from farm_scheduler.garbage import find_garbage
    from farm_scheduler.tables import now

    freed = 0
    with open_record() as record:
        with record.database.read() as session:
            items = find_garbage(session, record.settings, now())
        for item in items:
            gone = dry_run or dispose(record.database, item)
            freed += item.bytes if gone else 0
            reason = item.reason if gone else "kept: it is being baked"
            click.echo(f"{item.kind:<15}  {item.name:<24}  {size_text(item.bytes):>9}  {reason}")
    word = "would free" if dry_run else "freed"
    click.echo(f"{word} {size_text(freed)}" if items else "nothing to remove")
    return 0


def size_text(size: int) -> str:
    """`1.2 GiB`, `340 KiB`, `0 B`."""
    number = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if number >= 100 or unit == "B" else f"{number:.1f} {unit}"
