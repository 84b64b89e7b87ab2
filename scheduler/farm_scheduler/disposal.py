"""Disposal: removes garbage, so that a kill at any moment leaves nothing that could be taken for whole.

Called by the command and the API. A folder first loses its name, evidence first its place in the record, and
a source what a guest said of it. It decides nothing and
waits for nobody: what is locked stays for the next time.
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlmodel import col, delete

from farm_scheduler.database import Database
from farm_scheduler.errors import RecordError
from farm_scheduler.garbage import GONE, Garbage
from farm_scheduler.tables import Attempt, Question


def dispose(database: Database, item: Garbage) -> bool:
    """Remove one thing; False when somebody works on it just now. Something that has gone already is no error.

    Raises:
        RecordError: it cannot be removed.
    """
    try:
        if item.kind == "image":
            with _bakes_nobody(item.path.parent) as alone:
                if alone:
                    _remove_folder(item.path)
                return alone
        if item.attempt is not None:
            with database.write() as session:
                attempt = session.get(Attempt, item.attempt)
                if attempt is not None:
                    attempt.stream_path = None
        if item.kind == "source":
            with database.write() as session:
                digest = item.path.name.partition(".")[0]
                session.execute(delete(Question).where(col(Question.source_sha256) == digest))
        _remove(item.path)
    except OSError as error:
        sentence = (
            f"{item.path} cannot be removed ({error.strerror}); remove it as the user that it belongs to"
        )
        raise RecordError(sentence, path=str(item.path)) from error
    return True


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
    elif path.name.startswith(GONE):
        shutil.rmtree(path)
    else:
        _remove_folder(path)


def _remove_folder(path: Path) -> None:
    gone = path.with_name(GONE + path.name)
    with contextlib.suppress(FileNotFoundError):
        path.rename(gone)
        shutil.rmtree(gone)


@contextlib.contextmanager
def _bakes_nobody(folder: Path) -> Iterator[bool]:
    """The lock of an image's bakes, held for the length of the block; False when a bake has it."""
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
