"""A screen: what a run in progress is shown on. One of three: a live table, plain lines, or JSON lines.

Implemented by live_table, plain_lines and json_lines; called by run. A screen only shows: it reads no record and
decides nothing.
"""

from typing import Protocol

from farm_scheduler.run_report import CALM, CellReport, RunReport


class Screen(Protocol):
    """What every screen can do. All text of guests and projects is made harmless by the screen."""

    def say(self, sentence: str) -> None:
        """Something about the run as a whole: what is waited for, what happened to the service."""

    def show(self, report: RunReport) -> None:
        """The run at this moment, and the images that it waits for; called again and again until it has ended."""

    def close(self) -> None:
        """Leave the terminal in order; called once, whatever happened."""


def seconds_text(seconds: float | None) -> str:
    """`8.2 s`, `3:05`, `1:02:03`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 59.95:  # what would be rounded to 60.0 is a minute
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def style_of(cell: CellReport) -> str:
    """The colour of a cell's word: green only for what is green, magenta for what passed against expectation."""
    if cell.verdict is None:
        return "dim" if cell.ended or cell.seconds is None else "cyan"
    if cell.unexpected:
        return "magenta"
    if cell.green:
        return "green"
    return "yellow" if cell.verdict in CALM else "red"


def activity(cell: CellReport) -> str:
    """What runs now and what is left, or the reason when it is over."""
    if cell.ended:
        return cell.reason or ""
    again = f"try {cell.attempts}" if cell.attempts > 1 else ""
    return " · ".join(part for part in (cell.now, cell.left, again) if part)
