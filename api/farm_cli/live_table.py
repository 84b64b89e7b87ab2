"""The live table of a run on a terminal: one row a cell, redrawn in place.

Called by run when stdout is a terminal. It keeps no history: the summary after it is what stays.
"""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm_cli.screen import activity, seconds_text, style_of
from farm_scheduler.guest_text import clean_line
from farm_scheduler.run_report import CellReport, ImageReport, RunReport

REDRAWS_PER_SECOND = 4
BAR_WIDTH = 30


class LiveTable:
    """A screen for a person at a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""
        self._live = Live(console=console, refresh_per_second=REDRAWS_PER_SECOND, transient=True)
        self._live.start()

    def say(self, sentence: str) -> None:
        """Above the table, where it stays."""
        self._live.console.print(Text(clean_line(sentence)), style="dim")

    def show(self, report: RunReport) -> None:
        """Draw the run anew."""
        self._live.update(draw(report))

    def close(self) -> None:
        """Stop redrawing; the cursor is visible again."""
        self._live.stop()


def draw(report: RunReport) -> RenderableType:
    """A bar for each image that is waited for, what a machine is asked, the table, and one line below it."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("cell", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=9)
    for name in ("passed", "failed", "skipped", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("now", no_wrap=True, overflow="ellipsis", ratio=1)
    for cell in report.cells:
        table.add_row(*_row(cell))
    done = sum(cell.ended for cell in report.cells)
    head = Text(f"{report.id} · {clean_line(report.title)} · {report.state.value}", style="bold")
    foot = Text(f"{done} of {len(report.cells)} cells · {seconds_text(report.seconds)}", style="dim")
    bars = [_bar(image) for image in report.waits_for]
    if report.asks is not None:
        bars.append(Text(clean_line(report.asks.sentence), no_wrap=True, overflow="ellipsis"))
    return Group(head, *bars, table, foot) if report.cells else Group(head, *bars)


def _bar(image: ImageReport) -> Text:
    filled = round(image.progress / 100 * BAR_WIDTH)
    bar = Text(f"image {image.name}  ", no_wrap=True, overflow="ellipsis")
    bar.append("━" * filled, style="cyan").append("━" * (BAR_WIDTH - filled), style="dim")
    bar.append(f" {image.progress:3d} %  {clean_line(image.note)}")
    return bar.append(f"  {image.left}", style="dim") if image.left else bar


def _row(cell: CellReport) -> tuple[RenderableType, ...]:
    return (
        Text(clean_line(cell.label)),
        Text(cell.word, style=style_of(cell)),
        Text(_count(cell.passed, cell)),
        Text(_count(cell.failed, cell), style="red" if cell.failed else ""),
        Text(_count(cell.skipped, cell)),
        Text(seconds_text(cell.seconds)),
        Text(clean_line(activity(cell)), style="dim"),
    )


def _count(number: int, cell: CellReport) -> str:
    return str(number) if cell.total or cell.ended else ""
