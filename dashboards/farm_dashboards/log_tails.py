"""The end of a job's log for a page, read by a process of its own.

Called by site. A guest's stream is hostile, so this process never parses it: a child does, with a time limit, and
what it gives is kept for the attempts that have ended.
"""

import logging
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from threading import Lock

from farm_scheduler.run_report import CellReport

READ_SECONDS = 20.0
LARGEST_TAIL = 64 * 1024
KEPT = 256
LOG = logging.getLogger(__name__)


class LogTails:
    """Ends of logs below one home; safe between threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def tail(self, cell: CellReport, lines: int) -> str:
        """The last lines of the log of a cell's newest attempt; empty when there is none."""
        if cell.attempt_id is None or cell.stream_path is None:
            return ""
        key = f"{cell.attempt_id} {lines}"
        with self._lock:
            known = self._kept.get(key)
        if known is not None:
            return known
        text = self._read(self._home / cell.stream_path, lines)
        if cell.ended and text is not None:
            with self._lock:
                self._kept[key] = text
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return text or ""

    def _read(self, stream: Path, lines: int) -> str | None:
        argv = [sys.executable, "-m", "farm_scheduler.job_log", str(stream), str(lines)]
        try:
            answer = subprocess.run(argv, capture_output=True, timeout=READ_SECONDS, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            LOG.warning("the log of %s cannot be read: %s", stream.name, error)
            return None
        return answer.stdout[-LARGEST_TAIL:].decode("utf-8", "replace")
