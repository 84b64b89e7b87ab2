"""One machine as the proxy sees it: its share of everything, and the record of what it downloaded.

Made by `machines`, used by `site` and `connection`. It never trusts the machine: each share is bounded
here, so that one machine's flood costs the others nothing but their own share of the processor.
"""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

CONNECTIONS = 128
REQUESTS_PER_SECOND = 300
FETCHES = 16
FETCHES_PER_SECOND = 40
BURST_SECONDS = 6.0
FETCH_BYTES = 256 * 1024
RECORD_LINES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One file (or a part of it) that reached a machine; sha256 is None where the index promises none."""

    file: str
    sha256: str | None
    bytes: int
    from_cache: bool


class Pace:
    """Turns at most `rate` a second on average, after a burst of some seconds' worth."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._next = 0.0

    def charge(self, turns: float) -> None:
        """Count some turns more than were waited for."""
        self._next += turns * self._step

    async def turn(self) -> None:
        """Wait for the next turn; at once while the pace is kept."""
        now = time.monotonic()
        self._next = max(self._next, now - BURST_SECONDS) + self._step
        if self._next > now:
            await asyncio.sleep(self._next - now)


class Fetches:
    """A machine's share of upstream requests: some at once, and at a pace."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(FETCHES)
        self._pace = Pace(FETCHES_PER_SECOND)

    async def acquire(self) -> None:
        """Wait for a place and a turn."""
        await self._places.acquire()
        try:
            await self._pace.turn()
        except asyncio.CancelledError:
            self._places.release()
            raise

    def charge(self, size: int) -> None:
        """Count a page of `size` bytes by the work that it made: large ones as several."""
        self._pace.charge(size / FETCH_BYTES)

    def release(self) -> None:
        """Give a place back."""
        self._places.release()


class Guest:
    """The shares of the machine `name`: open connections, requests and upstream fetches.

    Attributes:
        cutoff: files that came to the index later are hidden from it, and those of which nobody knows when.
    """

    def __init__(self, name: str, downloads: Path) -> None:
        self.name = name
        self.cutoff: datetime | None = None
        self.connections = asyncio.Semaphore(CONNECTIONS)
        self.requests = Pace(REQUESTS_PER_SECOND)
        self.fetches = Fetches()
        self._lines = 0
        downloads.mkdir(parents=True, exist_ok=True)
        self._record = os.open(
            downloads / f"{name}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
        )

    def record(self, delivery: Delivery) -> None:
        """Append one line to the machine's record, in one write; a machine that floods it is cut off."""
        self._lines += 1
        if self._lines > RECORD_LINES:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "file": delivery.file,
            "sha256": delivery.sha256,
            "bytes": delivery.bytes,
            "from_cache": delivery.from_cache,
        }
        os.write(self._record, json.dumps(line).encode() + b"\n")

    def close(self) -> None:
        """Close the record."""
        os.close(self._record)
