"""Which runs have somebody waiting for them: a locked file per run, next to the sockets.

Called by run, which owns what it submitted until it has ended, and by the supervisor, which cancels the runs whose
owner died. The lock goes with the process, however it dies; a file without one is an orphan. It never touches a run
that somebody waits for.
"""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from farm_scheduler.errors import InputError, NotFoundError
from farm_scheduler.settings import Settings

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def own(settings: Settings, run_id: str) -> Iterator[None]:
    """Own a run for the length of the block; a block that fails leaves an orphan, if anything was recorded."""
    path = _folder(settings) / run_id
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            yield
        except InputError:
            path.unlink(missing_ok=True)
            raise
        path.unlink(missing_ok=True)


def orphans(settings: Settings) -> list[str]:
    """The runs whose owner has gone without ending them."""
    return [path.name for path in sorted(_folder(settings).iterdir()) if _is_free(path)]


def cancel_orphans(settings: Settings) -> list[str]:
    """Cancel the runs without an owner; which ones. What is at work on them ends by itself, or with its worker."""
    found = orphans(settings)
    if not found:
        return []
    # Imported here: the supervisor starts fast, and needs the record only for this.
    from farm_scheduler.database import Database
    from farm_scheduler.runs import cancel

    database = Database(settings.record_url)
    try:
        for run_id in found:
            LOG.warning("cancelling run %s, whose owner has gone", run_id)
            try:
                cancel(database, run_id)
            except NotFoundError as error:
                LOG.warning("%s", error)
            (_folder(settings) / run_id).unlink(missing_ok=True)
    finally:
        database.close()
    return found


def _folder(settings: Settings) -> Path:
    folder = settings.sockets / "owned"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_free(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
