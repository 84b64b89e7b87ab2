"""The option `--server`: the command is about a farm elsewhere.

Used by every command but those that are about this machine. It needs click alone, and asks no server.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def server_option(command: Command) -> Command:
    """The option `--server`, the same for every command that has it."""
    option = click.option(
        "--server",
        metavar="URL",
        envvar="WHEELFARM_SERVER",
        help="Of the farm at URL, not of this machine (WHEELFARM_SERVER); see `wheelfarm login --help`.",
    )
    return option(command)
