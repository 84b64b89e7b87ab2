"""`wheelfarm run TARGET`: submits a run, shows it until it has ended, and cancels it on Ctrl-C.

Found by main. It plans and judges nothing itself: the record says what to show, and the run its exit code.
"""

from typing import TYPE_CHECKING

import click

from farm_cli.matrix_options import matrix_options
from farm_cli.server_option import server_option

if TYPE_CHECKING:
    from farm_scheduler.plan import Narrowing

MOST_RETRIES = 5
"""As in farm_scheduler.plan, which would take its time to import."""

LONGEST_PRIORITY = 24
"""As in farm_scheduler.urgency."""

HELP = """Test TARGET on every Python and system that the farm has.

TARGET is a project's name (its newest release), name==version (the sdist of that release), a folder, an sdist or
wheel file, or git+https://HOST/PATH@REF. A wheel is installed and imported.
Each Python runs once, on the first system that has it; with --os on each system named (`--os all`: on every one).
Each cell of the matrix runs in a virtual machine of its own: the project's tox environments that fit its Python.

\b
Examples:
  wheelfarm run pluggy==1.7.0
  wheelfarm run ./myproject --python 3.11 --python 3.13
  wheelfarm run six==1.17.0 --json > run.jsonl
  wheelfarm run ./myproject --retry-failed 1
  wheelfarm run ./myproject --installer lockfile,latest,lowest
  wheelfarm run ./myproject --priority -6      behind what others want in the next hours

Ctrl-C cancels the run and leaves nothing; a second one does not wait.
"""


@click.command("run", help=HELP)
@click.argument("target")
@matrix_options
@click.option(
    "--retry-failed",
    "retries",
    type=click.IntRange(0, MOST_RETRIES),
    metavar="N",
    help="Try a cell with failing tests again, up to N times (0 to 5; by default what the project declares, else 0): "
    "what then passes is `flaky`, never green.",
)
@click.option(
    "--priority",
    type=click.IntRange(-LONGEST_PRIORITY, LONGEST_PRIORITY),
    default=0,
    metavar="N",
    help="A head start of N hours of work before other runs; with a minus behind them (-24 to 24). On a farm "
    "elsewhere the role bounds it: submitters 0, maintainers 6.",
)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
@server_option
def command(
    *,
    target: str,
    narrowing: "Narrowing",
    retries: int | None,
    priority: int,
    as_json: bool,
    server: str | None,
) -> int:
    """The subcommand; its exit code."""
    from farm_cli.run_follower import NewRun, follow
    from farm_scheduler.targets import read_target

    read_target(target)  # what can be refused at once is
    if server is not None:
        from farm_cli.server_run import Wish, run_on_server

        wish = Wish(target=target, narrowing=narrowing, retries=retries, priority=priority)
        return run_on_server(server, wish, as_json=as_json)
    run = NewRun(target=target, narrowing=narrowing, retries=retries, priority=priority)
    return follow(run, as_json=as_json)
