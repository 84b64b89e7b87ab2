"""The flags that the command line of tox gains.

Called by `plugin`; read by `options`. The names `--require-poetry`, `--parallel-install-threads` and
`--parallelize-locked-install` are those of tox-poetry-installer. No flag changes what
is decided, only how it is carried out.
"""

from __future__ import annotations

from argparse import ArgumentError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from argparse import ArgumentParser

THREADS = 10
"""How many releases are fetched and installed at a time, as tox-poetry-installer has it."""


def add(parser: ArgumentParser) -> None:
    """Add the flags to tox's parser (`tox run`, `tox -p` and so on share them)."""
    _add(
        parser,
        "--require-poetry",
        action="store_true",
        dest="require_poetry",
        help="fail where poetry cannot be imported by tox (wheelfarm itself never needs it)",
    )
    _add(
        parser,
        "--offline",
        action="store_true",
        dest="wheelfarm_offline",
        help="never use the network: what is not in the cache is an error (the setting offline = always)",
    )
    _add(
        parser,
        "--no-prune",
        action="store_true",
        dest="wheelfarm_no_prune",
        help="leave packages that nobody asked for in the environment (the setting prune = false)",
    )
    _add(
        parser,
        "--parallel-install-threads",
        "--parallelize-locked-install",
        type=int,
        default=THREADS,
        dest="parallel_install_threads",
        metavar="N",
        help=f"how many releases are fetched and installed at a time; 0: one by one (default {THREADS})",
    )


def _add(parser: ArgumentParser, *names: str, **told: Any) -> None:
    try:
        parser.add_argument(*names, **told)
    except ArgumentError:
        # tox-poetry-installer beside us has it, with the same meaning: its own stays, and `runner` says the rest.
        for name in names[1:]:
            with suppress(ArgumentError):
                parser.add_argument(name, **told)
