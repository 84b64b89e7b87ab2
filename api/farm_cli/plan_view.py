"""A plan as people and programs see it: its cells, the configuration that was inferred for them, and the notes.

Called by the plan command. It never plans: what it is given it prints, made harmless for a terminal.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from farm_scheduler.guest_text import clean, clean_line
from farm_scheduler.plan import Note, Plan, PlannedCell

WIDEST = 160
"""Columns of a line of configuration; the JSON has all of it."""

ANY_NAME = "pyXY"
"""Stands for the environment's name where texts differ in nothing else."""


def plan_lines(title: str, plan: Plan, notes: Sequence[str]) -> Iterator[str]:
    """What the command prints."""
    waiting = len(plan.runnable)
    count = f"{waiting} cell" + ("" if waiting == 1 else "s")
    others = len(plan.cells) - waiting
    yield clean_line(f"{title}: {count}" + (f", and {others} unsupported" if others else ""))
    width = max(len(clean_line(cell.label)) for cell in plan.cells)
    for cell in plan.cells:
        yield f"  {clean_line(cell.label):<{width}}  {clean_line(_what(cell))}"
    yield from _configuration(plan.runnable)
    yield from (clean_line(f"note: {note}") for note in notes)
    yield from _note_lines(plan.notes)


def plan_document(
    title: tuple[str, str | None], target: str, plan: Plan, notes: Sequence[str]
) -> dict[str, Any]:
    """The fields of the JSON object `plan`; `title` is project and version."""
    project, version = title
    shown = [{"environment": None, "reason": note} for note in notes]
    shown += [{"environment": note.environment, "reason": note.reason} for note in plan.notes]
    return {
        "target": target,
        "project": project,
        "version": version,
        "inferred": plan.inferred,
        "cells": [_cell_document(cell) for cell in plan.cells],
        "notes": shown,
    }


def _cell_document(cell: PlannedCell) -> dict[str, Any]:
    return {
        "label": cell.label,
        "python": cell.python,
        "system": cell.system,
        "environments": list(cell.environments),
        "tool": cell.tool,
        "variables": dict(cell.variables),
        "unsupported": cell.unsupported,
        "expected": cell.expected.value,
        "expected_reason": cell.expected_reason,
        "limit_seconds": cell.seconds,
        "system_packages": list(cell.packages),
        "installer": cell.installer.value,
        "constraints": list(cell.constraints),
        "cutoff": cell.cutoff.isoformat() if cell.cutoff else None,
        "inferred_config": cell.inferred,
    }


def _what(cell: PlannedCell) -> str:
    if cell.unsupported is not None:
        return f"unsupported: {cell.unsupported}"
    parts = [f"{cell.tool}: {' '.join(cell.environments)}"]
    if cell.expected_reason:
        parts.append(f"expected to fail: {cell.expected_reason}")
    if cell.seconds is not None:
        parts.append(f"at most {cell.seconds:g} s")
    if cell.packages:
        parts.append(f"with {' '.join(cell.packages)}")
    if cell.constraints:
        parts.append(f"by {' '.join(cell.constraints)}")
    if cell.cutoff is not None:
        parts.append(f"from the index as of {cell.cutoff:%Y-%m-%d %H:%M} UTC")
    return " · ".join(parts)


def _note_lines(notes: Sequence[Note]) -> Iterator[str]:
    """Notes on the whole run first, then what was left out: once for each reason."""
    yield from (clean_line(f"note: {note.reason}") for note in notes if note.environment is None)
    names: dict[str, list[str]] = {}
    for note in notes:
        if note.environment is not None:
            names.setdefault(note.reason, []).append(note.environment)
    for reason, environments in names.items():
        yield clean_line(f"left out: {', '.join(dict.fromkeys(environments))} — {reason}")


def _configuration(cells: Sequence[PlannedCell]) -> Iterator[str]:
    """The inferred configuration: once for those that share it, and how the others differ."""
    pythons: dict[str, list[str]] = {}
    for cell in cells:
        if cell.inferred is not None and cell.python is not None:
            text = cell.inferred.replace(cell.environments[0], ANY_NAME)
            pythons.setdefault(text, []).append(cell.python)
    if not pythons:
        return
    common = max(pythons, key=lambda text: len(pythons[text]))
    yield f"the inferred tox configuration, for {python_range(pythons[common])}:"
    yield from (_clipped(f"  │ {line}") for line in common.splitlines())
    for text, others in pythons.items():
        if text != common:
            yield f"different for {python_range(others)}:"
            lines = difflib.ndiff(common.splitlines(), text.splitlines())
            yield from (_clipped(f"  │ {line}") for line in lines if line.startswith(("- ", "+ ")))


def python_range(pythons: Sequence[str]) -> str:
    """`Python 3.9 to 3.13`, `Python 2.7, 3.7`: what stands in a row is not told one by one."""
    names = list(dict.fromkeys(pythons))
    rows: list[list[str]] = []
    for name in names:
        if rows and _follows(rows[-1][-1], name):
            rows[-1].append(name)
        else:
            rows.append([name])
    shown = [f"{row[0]} to {row[-1]}" if len(row) > 2 else ", ".join(row) for row in rows]
    return clean_line(f"Python {', '.join(shown)}")


def _follows(before: str, after: str) -> bool:
    major, _, minor = before.rpartition(".")
    return minor.isdigit() and after == f"{major}.{int(minor) + 1}"


def _clipped(line: str) -> str:
    text = clean(line).rstrip()
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
