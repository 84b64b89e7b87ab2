"""`wheelfarm logs JOB [-f]`: what tox said in the machine of a job.

Found by main. Read from the stored stream of the newest attempt, and made harmless on the way; with `--raw` it is
written as the guest wrote it, for files only. It never starts the service.
"""

import codecs
import sys
import time

import click

from farm_cli.record import Record, open_record
from farm_scheduler.errors import InputError, NotFoundError
from farm_scheduler.guest_text import clean
from farm_scheduler.job_log import read_log
from farm_scheduler.states import JOB_ENDED
from farm_scheduler.tables import Attempt, Job

LOOK_SECONDS = 0.5

HELP = """Print the log of JOB: all that tox and the tests wrote in its machine.

\b
Examples:
  wheelfarm logs j-4hr2k8wd
  wheelfarm logs j-4hr2k8wd -f          follow it until the job ends
  wheelfarm logs j-4hr2k8wd --raw > log
"""


@click.command("logs", help=HELP)
@click.argument("job")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--raw", is_flag=True, help="As the guest wrote it, escape sequences and all; not for a terminal."
)
def command(job: str, follow: bool, raw: bool) -> int:
    """The subcommand; its exit code."""
    if raw and sys.stdout.isatty():
        raise InputError("--raw may hold escape sequences of a guest; send it to a file: --raw > FILE")
    with open_record() as record:
        _show(record, job, follow=follow, raw=raw)
    return 0


def _show(record: Record, job: str, *, follow: bool, raw: bool) -> None:
    attempt = _newest_attempt(record, job)
    while attempt is None or attempt.stream_path is None:
        if not follow or _has_ended(record, job):
            raise NotFoundError(f"job {job} has no log yet; `wheelfarm logs {job} -f` waits for it", job=job)
        time.sleep(LOOK_SECONDS)
        attempt = _newest_attempt(record, job)

    def goes_on() -> bool:
        if not follow or _has_ended(record, job):
            return False
        time.sleep(LOOK_SECONDS)
        return True

    held = ""
    for piece in read_log(record.settings.home / attempt.stream_path, goes_on):
        if raw:
            sys.stdout.buffer.write(codecs.encode(piece, "utf-8", "replace"))
            continue
        # Whole lines only: an escape sequence may be cut in two by the pieces.
        lines, newline, held = (held + piece).rpartition("\n")
        if newline:
            click.echo(clean(lines))
    if held:
        click.echo(clean(held))


def _newest_attempt(record: Record, job: str) -> Attempt | None:
    from sqlmodel import col, select

    with record.database.read() as session:
        if session.get(Job, job) is None:
            raise NotFoundError(f"there is no job {job}; `wheelfarm results RUN --json` names them", job=job)
        chosen = select(Attempt).where(Attempt.job_id == job).order_by(col(Attempt.number).desc()).limit(1)
        return session.exec(chosen).first()


def _has_ended(record: Record, job: str) -> bool:
    with record.database.read() as session:
        row = session.get(Job, job)
        return row is None or row.state in JOB_ENDED
