"""A run as JSON lines: one object a line, documented in docs/json-lines.md.

Called by run and results with `--json`. Text stays as the guest wrote it, escaped to ASCII, so that it is harmless
on a terminal. The field names never change within a schema version.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from farm_scheduler.run_list import RunLine
from farm_scheduler.run_report import CellReport, FailingTest, RunReport
from farm_scheduler.states import RunState

SCHEMA_VERSION = 1
PROGRESS_SECONDS = 1.0
"""How often at most a cell whose word has not changed is told again."""


class JsonLines:
    """A screen for a program.

    Args:
        write: takes one line without its end.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._told: dict[str, tuple[str, Mapping[str, Any], float]] = {}

    def say(self, sentence: str) -> None:
        """A `note` that belongs to no environment."""
        self.tell("note", run=None, environment=None, reason=sentence)

    def show(self, report: RunReport) -> None:
        """The `image`s and `question` waited for, the `run` and its `note`s once planned, each `cell` that changed."""
        for image in report.waits_for:
            document = {"name": image.name, "state": image.state.value, "progress": image.progress}
            self._tell_changed(
                image.name,
                image.state.value,
                "image",
                {**document, "left_seconds": image.left_seconds, "note": image.note},
            )
        if report.asks is not None:
            asks = {"run": report.id, "system": report.asks.system, "state": report.asks.state.value}
            self._tell_changed(
                "question", report.asks.sentence, "question", {**asks, "note": report.asks.note}
            )
        if report.state == RunState.PLANNED:
            return
        if report.id not in self._told:
            for environment, reason in report.notes:
                self.tell("note", run=report.id, environment=environment, reason=reason)
        self._tell_changed(report.id, report.state.value, "run", run_document(report))
        for cell in report.cells:
            self._tell_changed(cell.job_id, cell.word, "cell", cell_document(report, cell))

    def close(self) -> None:
        """Nothing to put in order."""

    def tell(self, kind: str, **fields: object) -> None:
        """Write one object."""
        self._write(json.dumps({"schema_version": SCHEMA_VERSION, "type": kind, **fields}))

    def _tell_changed(self, key: str, word: str, kind: str, document: Mapping[str, Any]) -> None:
        # What only ages (the seconds) is no change.
        last_word, last, at = self._told.get(key, ("", {}, 0.0))
        moment = time.monotonic()
        same = {**document, "seconds": 0, "left_seconds": 0} == {**last, "seconds": 0, "left_seconds": 0}
        if same or (word == last_word and moment - at < PROGRESS_SECONDS):
            return
        self._told[key] = (word, document, moment)
        self.tell(kind, **document)


def run_document(report: RunReport | RunLine) -> dict[str, Any]:
    """The fields of `run`."""
    return {
        "run": report.id,
        "target": report.target,
        "project": report.project,
        "version": report.version,
        "state": report.state.value,
        "created": report.created.isoformat(),
        "finished": report.finished.isoformat() if report.finished else None,
        "inferred": report.inferred,
        "cells": report.cells if isinstance(report.cells, int) else len(report.cells),
        "exit_code": report.exit_code,
    }


def cell_document(report: RunReport, cell: CellReport) -> dict[str, Any]:
    """The fields of `cell`."""
    return {
        "run": report.id,
        "job": cell.job_id,
        "label": cell.label,
        "python": cell.python,
        "system": cell.system,
        "environments": list(cell.environments),
        "tool": cell.tool,
        "installer": cell.installer.value,
        "installed": cell.installed,
        "state": cell.state.value,
        "verdict": cell.verdict.value if cell.verdict else None,
        "expected": cell.expected.value,
        "reason": cell.reason,
        "tests": {
            "passed": cell.passed,
            "failed": cell.failed,
            "skipped": cell.skipped,
            "other": cell.other,
            "total": cell.total,
        },
        "now": cell.now,
        "seconds": round(cell.seconds, 3) if cell.seconds is not None else None,
        "left_seconds": cell.left_seconds,
        "attempts": cell.attempts,
        "history": [verdict.value for verdict in cell.history],
        "attempt": cell.attempt_id,
        "machine": cell.machine,
        "accelerator": cell.accelerator,
    }


def summary_document(report: RunReport, exit_code: int | None, tails: Mapping[str, str]) -> dict[str, Any]:
    """The fields of `summary`; `tails` is the end of the log by job."""
    verdicts: dict[str, int] = {}
    for cell in report.cells:
        verdicts[cell.word] = verdicts.get(cell.word, 0) + 1
    bad = [
        {
            "job": cell.job_id,
            "label": cell.label,
            "verdict": cell.word,
            "reason": cell.reason,
            "failing": [failing_document(test) for test in cell.failing],
            "log_tail": tails.get(cell.job_id, ""),
        }
        for cell in report.cells
        if cell.bad
    ]
    seconds = round(report.seconds, 3)
    return {"run": report.id, "exit_code": exit_code, "seconds": seconds, "verdicts": verdicts, "bad": bad}


def failing_document(test: FailingTest) -> dict[str, Any]:
    """The fields of one entry of `failing`."""
    return {
        "environment": test.environment,
        "test": test.name,
        "status": test.status,
        "seconds": test.seconds,
        "message": test.message,
    }
