"""The garbage of a farm elsewhere: listed, or removed request by request.

Called by gc with --server. It never decides what may go: that is the farm's to say, by its own settings.
"""

import click

from farm_cli.gc import KEPT, garbage_line
from farm_cli.servers import open_server
from farm_scheduler.guest_text import clean_line
from wheelfarm_client import models


def list_there(server: str) -> int | None:
    """Say what would go there; its bytes, or None where there is nothing."""
    with open_server(server) as farm:
        found = farm.list_garbage()
    for item in found.items:
        click.echo(_line(item))
    if found.count > len(found.items):
        click.echo(f"and {found.count - len(found.items)} more")
    return found.bytes if found.count else None


def dispose_there(server: str) -> int | None:
    """Remove it there, and say what went; the bytes, or None where there was nothing."""
    freed = count = 0
    with open_server(server) as farm:
        while True:
            done = farm.dispose_garbage()
            for item in done.items:
                click.echo(_line(item))
            freed += done.bytes
            count += len(done.items)
            if not done.left or not done.items:
                break
    if done.kept:
        click.echo(f"{done.kept} {KEPT}")
    return freed if count or done.kept else None


def _line(item: models.GarbageItem) -> str:
    return garbage_line(clean_line(item.kind), clean_line(item.name), item.bytes, clean_line(item.reason))
