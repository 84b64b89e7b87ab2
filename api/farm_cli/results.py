"""`wheelfarm results [RUN]`: the summary of a run once more, or the newest runs.

Found by main. It reads the record and the stored streams; it never starts the service.
"""

import click

from farm_cli.json_lines import JsonLines, cell_document, run_document, summary_document
from farm_cli.record import Record, open_record
from farm_cli.screen import seconds_text
from farm_cli.summary import log_tails, print_summary, summary_console
from farm_scheduler.guest_text import clean_line
from farm_scheduler.run_report import RunReport, read_report, recent_runs

RUNS_LISTED = 20
FAILING_SHOWN = 1000

HELP = """Show what became of RUN; without RUN, list the newest runs.

\b
Examples:
  wheelfarm results
  wheelfarm results r-7f3k2m9q --json
"""


@click.command("results", help=HELP)
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="One documented JSON object a line.")
def command(run: str | None, as_json: bool) -> int:
    """The subcommand; 0 whenever there is something to show."""
    with open_record() as record:
        if run is None:
            _list(record, as_json=as_json)
        else:
            _show(record, run, as_json=as_json)
    return 0


def _list(record: Record, *, as_json: bool) -> None:
    with record.database.read() as session:
        reports = recent_runs(session, limit=RUNS_LISTED)
    lines = JsonLines(click.echo)
    for report in reports:
        if as_json:
            lines.tell("run", **run_document(report))
        else:
            click.echo(_line(report))
    if not reports and not as_json:
        click.echo("no run yet; start one with `wheelfarm run TARGET`")


def _line(report: RunReport) -> str:
    words: dict[str, int] = {}
    for cell in report.cells:
        words[cell.word] = words.get(cell.word, 0) + 1
    tally = ", ".join(f"{number} {word}" for word, number in words.items())
    began = report.created.astimezone().strftime("%Y-%m-%d %H:%M")
    parts = [
        report.id,
        began,
        report.state.value,
        clean_line(report.title),
        tally,
        seconds_text(report.seconds),
    ]
    return "  ".join(part for part in parts if part)


def _show(record: Record, run: str, *, as_json: bool) -> None:
    with record.database.read() as session:
        report = read_report(session, run, failing=FAILING_SHOWN)
    tails = log_tails(report, record.settings.home)
    if not as_json:
        print_summary(summary_console(), report, tails)
        return
    lines = JsonLines(click.echo)
    for environment, reason in report.notes:
        lines.tell("note", run=report.id, environment=environment, reason=reason)
    lines.tell("run", **run_document(report))
    for cell in report.cells:
        lines.tell("cell", **cell_document(report, cell))
    lines.tell("summary", **summary_document(report, report.exit_code, tails))
