"""The option `--server`: the command is about a farm elsewhere, or says that it never is.

Used by every command. It needs click alone, and asks no server.
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


def here_only(reason: str) -> Callable[[Command], Command]:
    """The option `--server` of a command that is about this machine: it refuses with the reason, in one sentence."""

    def refuse(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"`{context.info_name}` takes no --server: {reason}", context)

    return click.option(
        "--server", metavar="URL", hidden=True, expose_value=False, is_eager=True, callback=refuse
    )
