"""The options by which a person chooses of the matrix: `--python`, `--os`, `--installer`, `--constraints`, `--cutoff`.

Used by run and plan, which get one `Narrowing` for all of them. It checks words only, never
what they leave: planning says that.
"""

import functools
from collections.abc import Callable
from typing import Any

import click

from farm_cli.completion import complete_image

INSTALLERS = ("project", "lockfile", "constraints", "latest", "lowest")
"""As in farm_scheduler.installers, which would take its time to import."""

Command = Callable[..., int]

_OPTIONS = (
    click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable."),
    click.option(
        "--os",
        "systems",
        multiple=True,
        metavar="NAME",
        shell_complete=complete_image,
        help="Every Python of this system, or of `all`; repeatable.",
    ),
    click.option(
        "--installer",
        "installers",
        multiple=True,
        metavar="WORD,…",
        help="What decides which releases are installed, each in cells of its own: project (its tox settings), "
        "lockfile, constraints, latest, lowest. By default what the project has, and latest beside a lock file or "
        "constraints.",
    ),
    click.option(
        "--constraints",
        multiple=True,
        metavar="FILE|URL",
        help="Constraints: a file by its path in the source, or an https URL; in place of what the project declares; "
        "repeatable.",
    ),
    click.option(
        "--cutoff",
        metavar="DATE",
        help="Files that came to the package index after this day (2026-01-31) or time do not exist for the run.",
    ),
)


def matrix_options(command: Command) -> Command:
    """Give a command these options; it is called with `narrowing` in their place."""

    @functools.wraps(command)
    def narrowed(
        *,
        pythons: tuple[str, ...],
        systems: tuple[str, ...],
        installers: tuple[str, ...],
        constraints: tuple[str, ...],
        cutoff: str | None,
        **others: Any,
    ) -> int:
        from farm_scheduler.cutoff import read_cutoff
        from farm_scheduler.installers import Installer
        from farm_scheduler.plan import Narrowing

        narrowing = Narrowing(
            pythons=pythons,
            systems=systems,
            installers=tuple(dict.fromkeys(map(Installer, _words(installers)))),
            constraints=constraints,
            cutoff=None if cutoff is None else read_cutoff(cutoff),
        )
        return command(narrowing=narrowing, **others)

    for option in reversed(_OPTIONS):
        narrowed = option(narrowed)
    return narrowed


def _words(said: tuple[str, ...]) -> list[str]:
    """The words, which commas may part.

    Raises:
        click.UsageError: one of them is no installer.
    """
    if any(not each.strip(" ,") for each in said):
        raise click.UsageError(f"--installer names none; there are {', '.join(INSTALLERS)}")
    words = [word.strip() for each in said for word in each.split(",") if word.strip()]
    wrong = next((word for word in words if word not in INSTALLERS), None)
    if wrong is not None:
        raise click.UsageError(f"--installer {wrong} is none of {', '.join(INSTALLERS)}")
    return words
