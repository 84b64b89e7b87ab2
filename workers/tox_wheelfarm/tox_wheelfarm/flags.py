"""The flags that the command line of tox gains.

Called by `plugin`; read by `options`. The names `--require-poetry`, `--parallel-install-threads` and
`--parallelize-locked-install` are those of tox-poetry-installer. No flag changes what
is decided, only how it is carried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

THREADS = 10
"""How many releases are fetched and installed at a time, as tox-poetry-installer has it."""


def add(parser: ArgumentParser) -> None:
    """Add the flags to tox's parser (`tox run`, `tox -p` and so on share them)."""
    parser.add_argument(
        "--require-poetry",
        action="store_true",
        dest="require_poetry",
        help="fail where poetry cannot be imported by tox (wheelfarm itself never needs it)",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        dest="wheelfarm_offline",
        help="never use the network: what is not in the cache is an error (the setting offline = always)",
    )
    parser.add_argument(
        "--no-prune",
        action="store_true",
        dest="wheelfarm_no_prune",
        help="leave packages that nobody asked for in the environment (the setting prune = false)",
    )
    parser.add_argument(
        "--parallel-install-threads",
        "--parallelize-locked-install",
        type=int,
        default=THREADS,
        dest="parallel_install_threads",
        metavar="N",
        help=f"how many releases are fetched and installed at a time; 0: one by one (default {THREADS})",
    )
