"""`python -m tox_wheelfarm`: the one command that works before there is a tox.

Called by people. It never starts tox: installers are chosen in tox's own configuration.
"""

from __future__ import annotations

import sys

from tox_wheelfarm import bootstrap

HELP = """\
usage: python -m tox_wheelfarm bootstrap [--help] [OPTION ...]

tox-wheelfarm installs tox environments exactly as decided. tox loads it by itself; in tox.ini write

    [testenv]
    runner = wheelfarm

commands:
    bootstrap    make the environment that runs tox, pinned by a lock file
"""


def main(arguments: list[str]) -> int:
    """Do what the command line says; gives the exit code: 2 for wrong use."""
    if arguments[:1] == ["bootstrap"]:
        return bootstrap.main(arguments[1:])
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(HELP)
        return 0
    sys.stderr.write(f"python -m tox_wheelfarm: {arguments[0]!r} is no command; there is `bootstrap`\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
