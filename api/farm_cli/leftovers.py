"""What a killed service left on this host: processes with its mark, and sockets.

Called by the supervisor before it starts anything, when it alone holds the lock of the home. Machines are the
holder's to find; nothing here touches a process of another user or another home.
"""

import contextlib
import hashlib
import logging
import os
import signal
import time
from pathlib import Path

from farm_scheduler.settings import Settings

MARK = "WHEELFARM_SERVICE"
"""The variable in the environment of every process that a supervisor starts."""

END_SECONDS = 5.0
LOG = logging.getLogger(__name__)


def mark(settings: Settings) -> str:
    """The value that tells the processes of this home from those of every other one."""
    return hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:16]


def marked(value: str) -> list[int]:
    """The processes that carry the mark with this value; those of other users cannot be read."""
    wanted = f"{MARK}={value}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def clear(settings: Settings) -> int:
    """End every leftover process, wait until it is gone, and remove stale sockets; how many there were."""
    value = mark(settings)
    first = marked(value)
    _signal(first, signal.SIGTERM)
    # The holder uses its term to destroy machines; what does not end by itself is killed.
    deadline = time.monotonic() + END_SECONDS
    while (left := marked(value)) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(left, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while marked(value) and time.monotonic() < deadline:
        time.sleep(0.02)
    for stale in (settings.redis_socket, settings.index_socket, settings.holder_socket, settings.farm_socket):
        stale.unlink(missing_ok=True)
    return len(first)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        LOG.warning("ending process %d, left by a service that was killed (%s)", process, number.name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)
