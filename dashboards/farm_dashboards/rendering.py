"""The templates and the words that they need.

Called by site. Autoescape is always on, and every filter that takes a guest's text makes it harmless; no template
marks anything as safe.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from farm_scheduler.guest_text import clean, clean_line, tail
from farm_scheduler.interpreters import name_order
from farm_scheduler.run_report import CALM, CellReport, RunReport, notes_by_reason
from farm_scheduler.tables import now
from farm_scheduler.told_sets import MOST_PACKAGES
from farm_scheduler.verdicts import UNEXPECTED_PASS, Verdict

RESTING = frozenset({"planned", "held", "queued", "finished", "cancelled"})
"""States in which nothing is done."""

OTHER = "other"
"""The row of what has no Python of its own."""

SHORT_HASH = 12
"""Signs of a hash that people see."""

MARKS = {"good": "✓", "odd": "!", "bad": "✗", "calm": "○", "working": "▸", "waiting": "·"}


class Pages:
    """The pages of a folder of templates."""

    def __init__(self, templates: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._environment.filters.update(
            clean=clean,
            line=clean_line,
            tail=tail,
            seconds=seconds_text,
            tone=tone,
            mark=mark,
            tally=tally,
            ago=ago,
            digest=digest,
            plural=plural,
        )
        self._environment.globals.update(
            left_out=notes_by_reason, grid=grid, beside=beside, most=MOST_PACKAGES
        )

    def render(self, name: str, **values: object) -> str:
        """The HTML of one page."""
        return self._environment.get_template(name).render(**values)


class Shown(Protocol):
    """What has a word and a colour: a cell, an attempt, or cells of one word."""

    @property
    def verdict(self) -> Verdict | None:
        """None before there is one."""

    @property
    def state(self) -> StrEnum:
        """Where it stands."""

    @property
    def word(self) -> str:
        """The word."""


def tone(shown: Shown) -> str:
    """The class of a badge: `good` only for what is green, `odd` for what passed against expectation."""
    if shown.verdict is None:
        return "waiting" if shown.state.value in RESTING else "working"
    if shown.word == UNEXPECTED_PASS:
        return "odd"
    if shown.verdict.green:
        return "good"
    return "calm" if shown.verdict in CALM else "bad"


def mark(kind: str) -> str:
    """The symbol of a tone, for those who cannot tell the colours."""
    return MARKS[kind]


def tally(run: RunReport) -> list[tuple[str, str, int]]:
    """(word, tone, number of cells), in the order in which the words first come."""
    found: dict[str, tuple[str, int]] = {}
    for cell in run.cells:
        found[cell.word] = (tone(cell), found.get(cell.word, ("", 0))[1] + 1)
    return [(word, kind, number) for word, (kind, number) in found.items()]


def grid(run: RunReport) -> tuple[list[str], list[tuple[str, list[list[CellReport]]]]]:
    """The systems (columns), and for each Python (row) the cells of each system; `other` has no Python of its own."""
    systems = list(dict.fromkeys(cell.system for cell in run.cells))
    rows: dict[str, list[list[CellReport]]] = {}
    for cell in run.cells:
        row = rows.setdefault(cell.python or OTHER, [[] for _ in systems])
        row[systems.index(cell.system)].append(cell)
    return systems, sorted(rows.items(), key=lambda row: name_order(None if row[0] == OTHER else row[0]))


def beside(run: RunReport, cell: CellReport) -> list[CellReport]:
    """The cells to compare one with: the other installers of its Python and system, then its like on other systems.

    Only those that have told what they had.
    """
    others = [
        each
        for each in run.cells
        if each.installed and each.python == cell.python and each.job_id != cell.job_id
    ]
    here = [each for each in others if each.system == cell.system]
    there = [each for each in others if each.system != cell.system and each.installer == cell.installer]
    return here + there


def digest(told: str | None) -> str:
    """The first twelve signs of a hash, with its algorithm if it has one; whole ones are in the pylock.toml."""
    algorithm, colon, value = clean_line(told or "").rpartition(":")
    return algorithm + colon + (value if len(value) <= SHORT_HASH else value[:SHORT_HASH] + "…")


def plural(number: int, word: str) -> str:
    """`1 package`, `2 packages`."""
    return f"{number} {word}" + ("" if number == 1 else "s")


def seconds_text(seconds: float | None) -> str:
    """`8.2 s`, `3:05 min`, `1:02:03 h`; empty for None."""
    if seconds is None:
        return ""
    if seconds < 59.95:  # what would be rounded to 60.0 is a minute
        return f"{seconds:.1f} s"
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02} h" if hours else f"{rest // 60}:{rest % 60:02} min"


def ago(moment: datetime) -> str:
    """How long ago something was, roughly."""
    seconds = (now() - moment).total_seconds()
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {word}{'s' if number > 1 else ''} ago"
    return "just now"
