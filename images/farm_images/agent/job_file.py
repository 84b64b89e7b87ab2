"""A file that the job may have made, read so that nothing the job put there can harm the agent.

Used by `job` and `command` after the job's processes have ended. It never follows a link, waits for a pipe
or reads more than it was told.
"""

import os
import stat
from pathlib import Path


def read(path: Path, most: int) -> bytes | None:
    """The content of a plain file of at most `most` bytes; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 (a descriptor, opened so that no link is followed)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        content = file.read(most + 1)
    return content if len(content) <= most else None
