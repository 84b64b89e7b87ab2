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
FETCHES = 16
REQUESTS_PER_SECOND = 300
BURST_SECONDS = 2.0
RECORD_LINES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One file (or a part of it) that reached a machine; sha256 is None where the index promises none."""

    file: str
    sha256: str | None
    bytes: int
    from_cache: bool


class Guest:
    """The shares of the machine `name`: open connections, upstream fetches at once, requests a second."""

    def __init__(self, name: str, downloads: Path) -> None:
        self.name = name
        self.connections = asyncio.Semaphore(CONNECTIONS)
        self.fetches = asyncio.Semaphore(FETCHES)
        self._next_turn = 0.0
        self._lines = 0
        downloads.mkdir(parents=True, exist_ok=True)
        self._record = os.open(
            downloads / f"{name}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644
        )

    async def turn(self) -> None:
        """Wait for this machine's next turn; at once while it asks no more than it may."""
        now = time.monotonic()
        self._next_turn = max(self._next_turn, now - BURST_SECONDS) + 1 / REQUESTS_PER_SECOND
        if self._next_turn > now:
            await asyncio.sleep(self._next_turn - now)

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
