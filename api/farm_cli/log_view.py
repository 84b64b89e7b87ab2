"""The log of a job on stdout, to its end or as it grows.

Called by logs. It reads the stored stream of one attempt and makes it harmless, unless it is asked for raw; it
never starts the service.
"""

import codecs
import sys
import time

import click
from sqlmodel import col, select

from farm_cli.record import Record
from farm_scheduler.errors import NotFoundError
from farm_scheduler.guest_text import clean
from farm_scheduler.job_log import read_log
from farm_scheduler.states import JOB_ENDED
from farm_scheduler.tables import Attempt, Job

LOOK_SECONDS = 0.5


def show_log(record: Record, job: str, number: int | None = None, *, follow: bool, raw: bool) -> None:
    """Print that of try `number`, or of the newest.

    Raises:
        NotFoundError: there is no such job or try, or it has no log and nobody wants to wait for it.
    """
    attempt = _attempt(record, job, number)
    while attempt is None or attempt.stream_path is None:
        if attempt is not None and attempt.finished:
            sentence = f"try {attempt.number} of job {job} has no log: no machine answered, or its evidence was removed"
            raise NotFoundError(sentence, job=job)
        if not follow or _has_ended(record, job):
            raise NotFoundError(f"job {job} has no log yet; `wheelfarm logs {job} -f` waits for it", job=job)
        time.sleep(LOOK_SECONDS)
        attempt = _attempt(record, job, number)
    path = record.settings.home / attempt.stream_path

    def goes_on() -> bool:
        if not follow or number is not None or _has_ended(record, job):
            return False
        time.sleep(LOOK_SECONDS)
        return True

    held = ""
    for piece in read_log(path, goes_on):
        if raw:
            sys.stdout.buffer.write(codecs.encode(piece, "utf-8", "replace"))
            continue
        # Whole lines only: an escape sequence may be cut in two by the pieces.
        lines, newline, held = (held + piece).rpartition("\n")
        if newline:
            click.echo(clean(lines))
    if held:
        click.echo(clean(held))


def _attempt(record: Record, job: str, number: int | None) -> Attempt | None:
    with record.database.read() as session:
        row = session.get(Job, job)
        if row is None:
            raise NotFoundError(f"there is no job {job}; `wheelfarm results RUN --json` names them", job=job)
        if number is not None:
            wanted = select(Attempt).where(Attempt.job_id == job, Attempt.number == number)
            found = session.exec(wanted).first()
            if found is None:
                raise NotFoundError(
                    f"job {job} has no try {number}; `wheelfarm results {job}` lists them", job=job
                )
            return found
        # While a job is run again, the log of the attempt before is not the one that is waited for.
        since = 0 if row.state in JOB_ENDED else row.attempts_before
        chosen = (
            select(Attempt)
            .where(Attempt.job_id == job, Attempt.number > since)
            .order_by(col(Attempt.number).desc())
            .limit(1)
        )
        return session.exec(chosen).first()


def _has_ended(record: Record, job: str) -> bool:
    with record.database.read() as session:
        row = session.get(Job, job)
        return row is None or row.state in JOB_ENDED
