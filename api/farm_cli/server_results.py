"""`results`, `logs`, `images`, `cancel` and `plan` of a farm elsewhere.

Called by these commands with --server. They show what the same commands show of this machine's record; nothing is kept
here.
"""

import sys
import time

import click

from farm_cli.results_view import FAILING_SHOWN, RUNS_LISTED, run_line
from farm_cli.server_report import log_ends, read_run, to_line
from farm_cli.servers import open_server
from farm_scheduler.cancellation import Cancellation
from farm_scheduler.errors import InputError, NotFoundError, PlanError
from farm_scheduler.guest_text import clean
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.systems import SystemFacts
from farm_scheduler.tables import Image
from wheelfarm_client import Farm, models

LOOK_SECONDS = 1.0


def list_runs_of(server: str, *, failed: bool, as_json: bool) -> None:
    """The newest runs there."""
    from itertools import islice

    from farm_cli.json_lines import JsonLines, run_document

    with open_server(server) as farm:
        found = list(islice(farm.list_runs(failed=failed, limit=RUNS_LISTED), RUNS_LISTED))
        for run in found:
            line = to_line(run, read_run(farm, run.id))
            if as_json:
                JsonLines(click.echo).tell("run", **run_document(line))
            else:
                click.echo(run_line(line))
        if not found and not as_json:
            click.echo("every run ended as expected" if failed else "that farm has no run yet")


def show_run_of(server: str, run: str, *, failed: bool, as_json: bool) -> None:
    """One run there; with `failed` only the cells to look into."""
    from farm_cli.results_view import show_report

    with open_server(server) as farm:
        report = read_run(farm, run, failing=FAILING_SHOWN)
        show_report(report, log_ends(farm, report), failed=failed, as_json=as_json)


def write_files_of(server: str, run: str, junit: str | None, subunit: str | None) -> None:
    """The results of a run there as files."""
    from farm_cli.run_files import output

    if subunit == "-" and sys.stdout.isatty():
        raise InputError(
            "a subunit stream is no text for a terminal; give a file, or a program behind a pipe"
        )
    with open_server(server) as farm:
        for file, chunks in ((junit, farm.get_junit(run)), (subunit, farm.get_run_evidence(run))):
            if file is None:
                continue
            with output(file) as stream:
                for chunk in chunks:
                    stream.write(chunk)


def show_log_of(server: str, job: str, number: int | None, *, follow: bool, raw: bool) -> None:
    """The log of a job there, made harmless by the farm and once more here."""
    if raw:
        raise InputError("--raw is for the evidence of this machine; take `results RUN --subunit FILE` there")
    with open_server(server) as farm:
        attempt = _attempt(farm, job, number, wait=follow)
        if not follow:
            held = b""
            for chunk in farm.get_log(attempt.id):
                lines, newline, held = (held + chunk).rpartition(b"\n")
                if newline:
                    click.echo(clean(lines.decode("utf-8", "replace")))
            if held:
                click.echo(clean(held.decode("utf-8", "replace")))
            return
        for event in farm.watch_log(attempt.id):
            if event.kind == "log":
                click.echo(clean(str(event.data.get("text", ""))), nl=False)


def _attempt(farm: Farm, job: str, number: int | None, *, wait: bool) -> models.Attempt:
    """That try, or the newest; with `wait` the first as soon as there is one, unless the job has ended."""
    while True:
        for attempt in farm.list_attempts(job):
            if number in {None, attempt.number}:
                return attempt
        if not wait or farm.get_job(job).finished is not None:
            break
        time.sleep(LOOK_SECONDS)
    what = f"try {number}" if number is not None else "log yet"
    raise NotFoundError(f"job {job} has no {what}; `wheelfarm results RUN` shows where it stands", job=job)


def cancel_of(server: str, run: str) -> Cancellation:
    """Cancel a run there."""
    with open_server(server) as farm:
        done = farm.cancel_run(run)
    return Cancellation(
        run_id=done.run_id,
        before=RunState(done.before),
        state=RunState(done.state),
        never_start=done.never_start,
        stopping=done.stopping,
        ended=done.ended,
    )


def images_of(server: str) -> list[SystemFacts]:
    """The systems there, as people see them; how long a bake takes is not known here."""
    with open_server(server) as farm:
        rows = [Image(**{**vars(each), "state": ImageState(each.state)}) for each in farm.list_images()]
    return [SystemFacts(name=row.name, row=row, bake_seconds=0.0, expected=()) for row in rows]


def systems_of(server: str) -> list[SystemImage]:
    """The systems there, as planning sees them."""
    rows = [each.row for each in images_of(server) if each.row is not None]
    if not rows:
        sentence = "that farm has no image yet, so nobody knows its Pythons; the first run there bakes one"
        raise PlanError(sentence, server=server)
    return [system_image(row.name, row.interpreters, baked=row.state == ImageState.READY) for row in rows]
