"""The lines of a run where stdout is no terminal: one for each change that matters, none drawn twice.

Called by run. Made for logs of other systems: no colour, no cursor movements.
"""

import time
from collections.abc import Callable

from farm_cli.screen import activity, seconds_text
from farm_scheduler.guest_text import clean_line
from farm_scheduler.run_report import CellReport, ImageReport, RunReport

PROGRESS_SECONDS = 15.0
"""How often a cell whose word has not changed says where it is."""


class PlainLines:
    """A screen for a file or a pipe.

    Args:
        write: takes one line without its end.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._began = time.monotonic()
        self._words: dict[str, str] = {}
        self._spoke: dict[str, float] = {}

    def say(self, sentence: str) -> None:
        """One line."""
        self._line(clean_line(sentence))

    def show(self, report: RunReport) -> None:
        """A line for each tenth of an image, part of a question, and cell whose word changed or that was long quiet."""
        for image in report.waits_for:
            self._show_image(image)
        if report.asks is not None and self._words.get("question") != report.asks.sentence:
            self._words["question"] = report.asks.sentence
            self.say(report.asks.sentence)
        for cell in report.cells:
            quiet = time.monotonic() - self._spoke.get(cell.job_id, self._began)
            changed = self._words.get(cell.job_id) != cell.word
            if changed or (not cell.ended and cell.seconds is not None and quiet > PROGRESS_SECONDS):
                self._words[cell.job_id] = cell.word
                self._spoke[cell.job_id] = time.monotonic()
                self._line(cell_line(cell))

    def close(self) -> None:
        """Nothing to put in order."""

    def _show_image(self, image: ImageReport) -> None:
        word = f"{image.state.value} {image.progress // 10}"
        if image.progress and self._words.get(image.name) != word:
            self._words[image.name] = word
            parts = [f"image {image.name}", f"{image.progress} %", clean_line(image.note), image.left]
            self._line("  ".join(part for part in parts if part))

    def _line(self, text: str) -> None:
        self._write(f"[{time.monotonic() - self._began:7.1f}] {text}".rstrip())


def cell_line(cell: CellReport) -> str:
    """`py3.12 · debian-12  passed  119 passed  12.3 s`."""
    counts = count_text(cell)
    parts = [
        clean_line(cell.label),
        cell.word,
        counts,
        seconds_text(cell.seconds),
        clean_line(activity(cell)),
    ]
    return "  ".join(part for part in parts if part)


def count_text(cell: CellReport) -> str:
    """`3 failed, 116 passed, 1 skipped`; empty when no test has ended."""
    numbers = {"failed": cell.failed, "passed": cell.passed, "skipped": cell.skipped, "other": cell.other}
    return ", ".join(f"{number} {word}" for word, number in numbers.items() if number)
