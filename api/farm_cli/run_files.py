"""The results of a run as files: JUnit XML, and the evidence as a subunit stream.

Called by results. A file is put in its place when it is whole; one that cannot be written leaves nothing. Nothing of
it goes to a terminal but the evidence that a person sent there.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click

from farm_cli.record import Record
from farm_scheduler.errors import InputError
from farm_scheduler.evidence_stream import write_evidence
from farm_scheduler.junit import write_junit
from farm_scheduler.run_report import read_report


def write_junit_file(record: Record, run: str, file: str) -> None:
    """Write the report of a run; `-` is stdout.

    Raises:
        NotFoundError: there is no such run.
        InputError: the file cannot be written.
    """
    with record.database.read() as session:
        report = read_report(session, run, failing=0)
        with output(file) as stream:
            write_junit(session, report, stream)


def write_subunit_file(record: Record, run: str, file: str) -> None:
    """Write the evidence of a run; `-` is stdout. Cells without evidence are told on stderr.

    Raises:
        NotFoundError: there is no such run.
        InputError: the file cannot be written, or is a terminal.
    """
    if file == "-" and sys.stdout.isatty():
        raise InputError(
            "a subunit stream is no text for a terminal; give a file, or a program behind a pipe"
        )
    with record.database.read() as session:
        report = read_report(session, run, failing=0)
    with output(file) as stream:
        without = write_evidence(report.cells, record.settings.home, stream)
    if without:
        click.echo(f"wheelfarm: there is no evidence of {', '.join(without)}", err=True)


@contextmanager
def output(file: str) -> Iterator[BinaryIO]:
    """Where a file is written to; `-` is stdout.

    Raises:
        InputError: it cannot be written.
    """
    if file == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    device = path.exists() and not path.is_file()  # /dev/null, a pipe: written to, not replaced
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with (path if device else draft).open("wb") as stream:
            yield stream
        if not device:
            draft.replace(path)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            f"{file} cannot be written ({error.strerror}); give another FILE", file=file
        ) from error
    finally:
        draft.unlink(missing_ok=True)
