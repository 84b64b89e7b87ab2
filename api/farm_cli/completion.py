"""What the shell may complete an argument to: ids of runs and jobs, and names of images, from the record.

Called by click while a person presses Tab, so it must answer at once: SQLite is read directly, without the models,
settings and migrations that every other reader goes through. It never writes, and never says an error: a record that
cannot be read has nothing to offer.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from farm_scheduler.home import default_home

OFFERED = 200
"""The newest that are offered; older ones can still be typed."""

BUSY_SECONDS = 0.5

RUNS = "SELECT id, project || ' ' || coalesce(version, '') || ' ' || state FROM run ORDER BY created DESC"
JOBS = (
    "SELECT job.id, run.project || ' ' || cell.label || ' ' || coalesce(job.verdict, job.state)"
    " FROM job JOIN cell ON cell.id = job.cell_id JOIN run ON run.id = job.run_id"
    " ORDER BY run.created DESC, cell.position"
)
IMAGES = "SELECT name, state FROM image ORDER BY name"


def complete_run(_context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """Runs, newest first."""
    return _offer(RUNS, typed)


def complete_job(_context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """Jobs of the newest runs."""
    return _offer(JOBS, typed)


def complete_image(_context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """Systems that this host knows an image of."""
    return _offer(IMAGES, typed)


def _offer(query: str, typed: str) -> list[CompletionItem]:
    path = _record()
    if path is None:
        return []
    with contextlib.suppress(sqlite3.Error):
        record = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        with contextlib.closing(record):
            rows = record.execute(f"SELECT * FROM ({query} LIMIT {OFFERED})").fetchall()  # noqa: S608 - constants
        return [
            CompletionItem(str(value), help=_harmless(told))
            for value, told in rows
            if str(value).startswith(typed)
        ]
    return []


def _record() -> Path | None:
    url = os.environ.get("WHEELFARM_DATABASE_URL", "")
    if url:
        return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite:///") else None
    return Path(os.environ.get("WHEELFARM_HOME") or default_home()).expanduser() / "record.sqlite"


def _harmless(told: object) -> str:
    """A project's words, with nothing in them that a shell or a terminal could take for its own."""
    return "".join(
        letter for letter in str(told) if letter.isascii() and (letter.isalnum() or letter in " .-_+")
    )
