"""What a second run of the same plan fetches from the network: `python -m benchmarks.second_run six==1.17.0`.

Runs TARGET twice as `wheelfarm run` does, in a home of its own with empty caches and the images of yours, behind an
index that counts what it is asked for. Prints both runs side by side. Exit codes: 0 the second run asked for nothing,
1 it did (what, is told), 2 wrong use, 3 the farm's own fault.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.counting_index import Count, counting_index
from farm_cli.interruption import Interruption
from farm_cli.plain_lines import PlainLines
from farm_cli.record import open_record, read_settings
from farm_cli.run_follower import NewRun, RunFollower
from farm_scheduler.errors import FarmError, exit_code_of
from farm_scheduler.plan import Narrowing
from farm_scheduler.targets import read_target

TARGET = "six==1.17.0"
MOST_SHOWN = 20


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", nargs="?", default=TARGET, help=f"what to run (default: {TARGET})")
    parser.add_argument("--python", action="append", default=[], metavar="X.Y", help="only this Python")
    arguments = parser.parse_args()
    try:
        read_target(arguments.target)
        first, second = measure(NewRun(target=arguments.target, narrowing=_narrowing(arguments.python)))
    except FarmError as error:
        print(error.sentence, file=sys.stderr)
        return exit_code_of(error)
    for line in table(first, second):
        print(line)
    return 0 if second.requests == 0 else 1


def measure(wanted: NewRun) -> tuple[Count, Count]:
    """What each of two runs of the same plan asked the network for.

    Raises:
        FarmError: a run was not to be had.
    """
    settings = read_settings()
    settings.prepare()
    with (
        tempfile.TemporaryDirectory(prefix="wf-", dir="/tmp") as name,
        counting_index(settings.index_url) as index,
    ):
        home = Path(name)
        home.chmod(0o755)  # the user that machines run as reads the image
        (home / "images").symlink_to(settings.images)
        os.environ |= {"WHEELFARM_HOME": name, "WHEELFARM_INDEX_URL": index.url}
        counts = []
        for _ in range(2):
            _run(wanted)
            counts.append(index.taken())
    return counts[0], counts[1]


def _run(wanted: NewRun) -> None:
    interruption = Interruption()
    screen = PlainLines(lambda line: print(line, file=sys.stderr))
    with interruption.listening(), open_record() as record:
        RunFollower(record, screen, interruption).run(wanted)


def table(first: Count, second: Count) -> list[str]:
    """The figures as lines."""
    rows = {
        "requests for pages": (first.pages, second.pages),
        "  of which unchanged (304)": (first.unchanged, second.unchanged),
        "requests for files": (first.files, second.files),
        "bytes": (first.bytes, second.bytes),
    }
    lines = [f"{'asked of the network':30}{'first run':>14}{'second run':>14}"]
    lines += [f"{name:30}{one:14,}{two:14,}" for name, (one, two) in rows.items()]
    lines += [f"  the second run asked for {path}" for path in second.paths[:MOST_SHOWN]]
    return lines


def _narrowing(pythons: Sequence[str]) -> Narrowing:
    return Narrowing(pythons=tuple(pythons))


if __name__ == "__main__":
    sys.exit(main())
