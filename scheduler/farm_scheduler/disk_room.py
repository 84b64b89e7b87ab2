"""A full disk, told from other troubles with files, in one sentence that says what to do.

Called where the farm writes something large, and by the command when the record cannot be opened. It never makes room.
"""

import errno
import shutil
from pathlib import Path

from farm_scheduler.errors import NoRoomError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
LITTLE = 64 << 10
"""Bytes free below which a database that cannot be written is taken for a full disk."""

LEAST = 128 << 20
"""Bytes free below which no job is begun: its machine, its stream and the record need some."""


def check_room(error: OSError, folder: Path) -> None:
    """Raise NoRoomError if `error` is that of a full disk; `folder` is where something was written."""
    if error.errno in FULL:
        raise no_room(folder) from error


def no_room(folder: Path) -> NoRoomError:
    """The error for a folder without room."""
    sentence = (
        f"there is no room left on the disk of {folder}; make room, or set WHEELFARM_HOME to another disk"
    )
    return NoRoomError(sentence, folder=str(folder))


def is_full(folder: Path) -> bool:
    """Whether next to nothing can be written there."""
    try:
        return shutil.disk_usage(folder).free < LITTLE
    except OSError:
        return False


def is_short(folder: Path) -> bool:
    """Whether there is too little room to begin a job."""
    try:
        return shutil.disk_usage(folder).free < LEAST
    except OSError:
        return False
