"""`wheelfarm run TARGET`: submits a run, shows it until it has ended, and cancels it on Ctrl-C.

Found by main. It plans and judges nothing itself: the record says what to show, and the run its exit code.
"""

import click

from farm_cli.interruption import Interruption
from farm_cli.json_lines import JsonLines, summary_document
from farm_cli.record import open_record
from farm_cli.run_follower import RunFollower
from farm_cli.screen import Screen
from farm_scheduler.plan import Narrowing
from farm_scheduler.run_report import RunReport
from farm_scheduler.settings import Settings
from farm_scheduler.targets import read_target

HELP = """Test TARGET on every Python and system that the farm has.

TARGET is a project's name (its newest release), name==version (the sdist of that release), a folder, an sdist or
wheel file, or git+https://HOST/PATH@REF. A wheel is installed and imported.
Each cell of the matrix runs in a virtual machine of its own: the project's tox environments that fit its Python.

\b
Examples:
  wheelfarm run pluggy==1.7.0
  wheelfarm run ./myproject --python 3.11 --python 3.13
  wheelfarm run six==1.17.0 --json > run.jsonl

Ctrl-C cancels the run and leaves nothing; a second one does not wait.
"""


@click.command("run", help=HELP)
@click.argument("target")
@click.option("--python", "pythons", multiple=True, metavar="X.Y", help="Only this Python; repeatable.")
@click.option("--os", "systems", multiple=True, metavar="NAME", help="Only this system; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
def command(target: str, pythons: tuple[str, ...], systems: tuple[str, ...], as_json: bool) -> int:
    """The subcommand; its exit code."""
    read_target(target)  # what can be refused at once is
    narrowing = Narrowing(pythons=pythons, systems=systems)
    interruption = Interruption()
    with interruption.listening(), open_record() as record:
        screen = choose_screen(as_json=as_json)
        try:
            report = RunFollower(record, screen, interruption).run(target, narrowing)
        finally:
            screen.close()
        return show_end(screen, report, record.settings)


def choose_screen(*, as_json: bool) -> Screen:
    """The screen that fits where stdout goes."""
    if as_json:
        return JsonLines(click.echo)
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        from farm_cli.live_table import LiveTable

        return LiveTable(console)
    from farm_cli.plain_lines import PlainLines

    return PlainLines(click.echo)


def show_end(screen: Screen, report: RunReport, settings: Settings) -> int:
    """The summary; the exit code of the command."""
    from farm_scheduler.settlement import CANCELLED

    # Without one the run was given up on: it was cancelled, and did not end in time.
    exit_code = report.exit_code if report.exit_code is not None else CANCELLED
    from farm_cli.summary import log_tails, print_summary, summary_console

    tails = log_tails(report, settings.home)
    if isinstance(screen, JsonLines):
        screen.tell("summary", **summary_document(report, exit_code, tails))
    else:
        print_summary(summary_console(), report, tails)
    return exit_code
