"""The queue as people and programs see it.

Called by the queue command. Names of projects are made harmless; nothing is looked up here.
"""

from collections.abc import Iterator
from typing import Any

from farm_cli.screen import seconds_text
from farm_scheduler.guest_text import clean_line
from farm_scheduler.waiting import Queue, WaitingJob

HEAD = ("job", "project", "cell", "asked by", "starts in", "waits")


def queue_document(queue: Queue) -> dict[str, Any]:
    """The fields of the JSON object `queue`."""
    return {
        "machines": queue.machines,
        "at_work": queue.at_work,
        "waiting": queue.waiting,
        "shown": len(queue.jobs),
    }


def waiting_document(job: WaitingJob) -> dict[str, Any]:
    """The fields of the JSON object `waiting`."""
    return {
        "job": job.job_id,
        "run": job.run_id,
        "project": job.project,
        "label": job.label,
        "trigger": job.trigger.value,
        "created": job.created.isoformat(),
        "wait": job.wait.value,
        "reason": job.sentence,
        "starts_in_seconds": round(job.seconds, 1) if job.seconds is not None else None,
    }


def queue_lines(queue: Queue, project: str | None) -> Iterator[str]:
    """How many wait and are at work, and a table of those that wait."""
    of_project = f" of {clean_line(project)}" if project is not None else ""
    busy = f"{queue.at_work} of {queue.machines} {'machine' if queue.machines == 1 else 'machines'} at work"
    if not queue.waiting:
        yield f"no job{of_project} waits; {busy}"
        return
    verb = "job waits" if queue.waiting == 1 else "jobs wait"
    yield f"{queue.waiting} {verb.replace(' ', of_project + ' ', 1)}; {busy}"
    rows = [HEAD, *(_row(job) for job in queue.jobs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]]).rstrip()
    if queue.waiting > len(queue.jobs):
        yield f"and {queue.waiting - len(queue.jobs)} more; see them with -n"


def starts_text(seconds: float | None) -> str:
    """`now`, `about 3:05`, or `?` where nobody can tell."""
    if seconds is None:
        return "?"
    return "now" if seconds < 1 else f"about {seconds_text(float(round(seconds)))}"


def _row(job: WaitingJob) -> tuple[str, ...]:
    return (
        job.job_id,
        clean_line(job.project),
        clean_line(job.label),
        job.trigger.value,
        starts_text(job.seconds),
        f"{job.wait.value}: {clean_line(job.sentence)}",
    )
