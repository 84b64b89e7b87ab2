"""The summary of a run: each cell's verdict and reason, the failing tests, the end of each bad cell's log.

Called by run when a run has ended, and by results. It prints what stays on the terminal; it never waits.
"""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farm_cli.plain_lines import count_text
from farm_cli.screen import seconds_text, style_of
from farm_scheduler.guest_text import clean_line, tail
from farm_scheduler.job_log import log_tail
from farm_scheduler.run_report import CellReport, FailingTest, RunReport, notes_by_reason
from farm_scheduler.verdicts import Verdict

LOG_LINES = 20
MESSAGE_LINES = 12
TESTS_SHOWN = 10

PIPE_WIDTH = 160
"""Columns where stdout is no terminal."""


def summary_console() -> Console:
    """Where a summary goes: stdout, as wide as it is."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def print_summary(
    console: Console, report: RunReport, tails: Mapping[str, str], *, tests_shown: int = TESTS_SHOWN
) -> None:
    """Print it all; `tails` is the end of the log by job, `tests_shown` bounds the failing tests of a cell."""
    for cell in report.cells:
        if cell.bad:
            _print_bad(console, cell, tails.get(cell.job_id, ""), tests_shown)
    _print_cells(console, report)
    _print_sets(console, report)
    _print_notes(console, report)
    _print_more(console, report)


def log_tails(report: RunReport, home: Path) -> dict[str, str]:
    """The end of the log of each bad cell, by job; a try that passed has nothing to tell."""
    passed = [cell for cell in report.cells if cell.verdict is Verdict.FLAKY or cell.unexpected]
    bad = [(cell.job_id, cell.stream_path) for cell in report.cells if cell.bad and cell not in passed]
    return {job: log_tail(home / path, LOG_LINES) for job, path in bad if path is not None}


def _print_bad(console: Console, cell: CellReport, log: str, tests_shown: int) -> None:
    console.print()
    console.rule(
        Text(f" {clean_line(cell.label)}: {cell.word} ", style=f"bold {style_of(cell)}"),
        align="left",
        style="dim",
    )
    if cell.reason:
        console.print(Text(clean_line(cell.reason)))
    for test in cell.failing[:tests_shown]:
        print_test(console, test)
    more = cell.failed - tests_shown
    if more > 0:
        console.print(Text(f"… and {more} more", style="dim"))
    if cell.verdict is Verdict.FLAKY:
        console.print(Text(f"its tries: wheelfarm results {cell.job_id} --attempt N", style="dim"))
    if log:
        console.print(Text(f"the end of the log (all of it: wheelfarm logs {cell.job_id})", style="dim"))
        print_block(console, tail(log, LOG_LINES))


def print_test(console: Console, test: FailingTest) -> None:
    """One failing test, with the end of what it said."""
    word = {"fail": "FAILED", "uxsuccess": "PASSED UNEXPECTEDLY", "inprogress": "NEVER ENDED"}
    line = Text(word.get(test.status, test.status), style="red")
    line.append(f" {clean_line(test.environment)}: ", style="dim").append(clean_line(test.name))
    console.print(line)
    if test.message:
        print_block(console, tail(test.message, MESSAGE_LINES))


def print_block(console: Console, text: str) -> None:
    """Lines that somebody else wrote, told from ours by a bar."""
    for line in text.split("\n"):
        console.print(Text(f"  │ {line}"), no_wrap=True, crop=False, overflow="ignore")


def _print_cells(console: Console, report: RunReport) -> None:
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for place in range(5):
        table.add_column(no_wrap=place < 4, justify="right" if place == 3 else "left", overflow="fold")
    for cell in report.cells:
        word, counts = Text(cell.word, style=style_of(cell)), Text(count_text(cell))
        before = f" (before: {', '.join(cell.history)})" if cell.history else ""
        time, reason = Text(seconds_text(cell.seconds)), Text(clean_line((cell.reason or "") + before))
        table.add_row(Text(clean_line(cell.label)), word, counts, time, reason)
    console.print(table)


def _print_sets(console: Console, report: RunReport) -> None:
    """What each cell had, where the cells of a run differ in what decided that."""
    told = [cell for cell in report.cells if cell.installed]
    if len({cell.installer for cell in report.cells}) < 2 or not told:
        return
    console.print()
    for cell in told:
        console.print(Text(clean_line(f"{cell.job_id}  {cell.label}: {cell.installed}")), soft_wrap=True)
    console.print(Text("what differs: wheelfarm compare JOB OTHER", style="dim"))


def _print_notes(console: Console, report: RunReport) -> None:
    for reason, environments in notes_by_reason(report).items():
        names = f"left out: {', '.join(environments)} — " if environments else "note: "
        console.print(Text(clean_line(f"{names}{reason}"), style="dim" if environments else ""))


def _print_more(console: Console, report: RunReport) -> None:
    ended = {0: ", as expected", 1: ", not as expected"}.get(report.exit_code or 0, "")
    state = report.state.value + (ended if report.exit_code is not None else "")
    line = f"{report.id} · {clean_line(report.title)} · {state} · {seconds_text(report.seconds)}"
    console.print(Text(line, style="bold"))
    console.print(Text(f"again: wheelfarm results {report.id} · a log: wheelfarm logs JOB", style="dim"))
    for cell in report.cells:
        if cell.bad:
            console.print(Text(f"  {cell.job_id}  {clean_line(cell.label)}", style="dim"))
