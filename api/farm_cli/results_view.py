"""Runs of the record, shown again: the newest as lines, or one with its summary.

Called by results. It prints what `wheelfarm run` printed at the end; it never waits and never starts the service.
"""

from dataclasses import replace

import click

from farm_cli.json_lines import JsonLines, cell_document, run_document, summary_document
from farm_cli.record import Record
from farm_cli.screen import seconds_text
from farm_scheduler.guest_text import clean_line
from farm_scheduler.run_list import RunLine, recent_runs
from farm_scheduler.run_report import RunReport, read_report

RUNS_LISTED = 20
FAILING_SHOWN = 1000


def list_runs(record: Record, *, failed: bool, as_json: bool) -> None:
    """The newest runs, one a line; with `failed` those that ended otherwise than expected."""
    with record.database.read() as session:
        found = recent_runs(session, limit=RUNS_LISTED, failed=failed)
    lines = JsonLines(click.echo)
    for run in found:
        if as_json:
            lines.tell("run", **run_document(run))
        else:
            click.echo(run_line(run))
    if not found and not as_json:
        click.echo(
            "every run ended as expected" if failed else "no run yet; start one with `wheelfarm run TARGET`"
        )


def run_line(run: RunLine) -> str:
    """Id, time, state, title, its cells by word, and how long it took."""
    tally = ", ".join(f"{each.cells} {each.word}" for each in run.tallies)
    began = run.created.astimezone().strftime("%Y-%m-%d %H:%M")
    parts = [run.id, began, run.state.value, clean_line(run.title), tally, seconds_text(run.seconds)]
    return "  ".join(part for part in parts if part)


def show_run(record: Record, run: str, *, failed: bool, as_json: bool) -> None:
    """One run; with `failed` only the cells to look into, and all that failed in them.

    Raises:
        NotFoundError: there is no such run.
    """
    from farm_cli.summary import log_tails

    with record.database.read() as session:
        report = read_report(session, run, failing=FAILING_SHOWN)
    show_report(report, log_tails(report, record.settings.home), failed=failed, as_json=as_json)


def show_report(report: RunReport, tails: dict[str, str], *, failed: bool, as_json: bool) -> None:
    """A report with the ends of its logs, wherever it is from."""
    from farm_cli.summary import TESTS_SHOWN, print_summary, summary_console

    if failed:
        report = replace(report, cells=tuple(cell for cell in report.cells if cell.bad), notes=())
    if as_json:
        _tell(report, tails)
        return
    shown = FAILING_SHOWN if failed else TESTS_SHOWN
    print_summary(summary_console(), report, tails, tests_shown=shown)


def _tell(report: RunReport, tails: dict[str, str]) -> None:
    lines = JsonLines(click.echo)
    for environment, reason in report.notes:
        lines.tell("note", run=report.id, environment=environment, reason=reason)
    lines.tell("run", **run_document(report))
    for cell in report.cells:
        lines.tell("cell", **cell_document(report, cell))
    lines.tell("summary", **summary_document(report, report.exit_code, tails))
