"""Files on their way from the upstream into the store, read by any number of requests while they come.

Called by `site`. There is one transfer per file however many ask; nobody gets its last byte before the
whole has the promised digest. It never fetches an address that no page of the upstream named.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from farm_workers.index.guests import Fetches
from farm_workers.index.store import Store
from farm_workers.index.upstream import Upstream, UpstreamError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAddress:
    """Where a file is, and the sha256 that its page promises (None where the page gives none)."""

    url: str
    sha256: str | None

    @property
    def key(self) -> str:
        """Its key in the store: the digest of the content, or, where that is not promised, of the address."""
        return self.sha256 or hashlib.sha256(f"address {self.url}".encode()).hexdigest()


class Download:
    """One transfer of `total` bytes (None until known); those before `available` may be passed on.

    It is `complete` once the whole file came and has the promised digest.
    """

    def __init__(self, address: FileAddress, draft: BinaryIO) -> None:
        self.address = address
        self.draft = draft
        self.total: int | None = None
        self.available = 0
        self.complete = False
        self.sha256 = hashlib.sha256()
        self.error: UpstreamError | None = None
        self._changed = asyncio.Event()

    def reader(self) -> BinaryIO:
        """Open what is there of the file, while the transfer runs; it grows, and outlives the transfer."""
        return Path(self.draft.name).open("rb")

    async def opened(self) -> int:
        """Wait until the length is known and give it. Raises UpstreamError."""
        while self.total is None:
            await self._wait()
        return self.total

    async def more(self, position: int) -> int:
        """Wait until bytes after `position` may be passed on and give the new end. Raises UpstreamError."""
        while self.available <= position:
            await self._wait()
        return self.available

    async def _wait(self) -> None:
        if self.error:
            raise self.error
        await self._changed.wait()

    def changed(self) -> None:
        """Wake everyone who waits."""
        self._changed.set()
        self._changed = asyncio.Event()


class Downloads:
    """The running transfers by key, at most one per file."""

    def __init__(self, store: Store, upstream: Upstream) -> None:
        self._store = store
        self._upstream = upstream
        self._running: dict[str, Download] = {}
        self._tasks: dict[asyncio.Task[None], Download] = {}

    async def start(self, address: FileAddress, fetches: Fetches) -> Download | None:
        """Join the transfer of a file or start it; None when the file came into the store in the meantime.

        A new transfer holds a place of `fetches`, the requesting machine's share, until it ends.
        """
        running = self._running.get(address.key)
        if running:
            return running
        await fetches.acquire()
        running = self._running.get(address.key)
        if running or self._store.holds("files", address.key):
            fetches.release()
            return running
        try:
            download = self._running[address.key] = Download(address, self._store.draft())
        except OSError:
            fetches.release()
            raise
        task = asyncio.create_task(self._run(download))
        self._tasks[task] = download
        task.add_done_callback(self._tasks.pop)
        task.add_done_callback(lambda _: fetches.release())
        return download

    async def aclose(self) -> None:
        """Stop every transfer and remove its draft; what came whole is kept first."""
        for task, download in self._tasks.items():
            if not download.complete:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, download: Download) -> None:
        try:
            await self._transfer(download)
            await self._store.keep("files", download.address.key, download.draft)
        except UpstreamError as error:
            download.error = error
        except OSError as error:
            sentence = f"The index proxy cannot keep {download.address.url} ({error}); free some disk space."
            download.error = UpstreamError(sentence, status=502, url=download.address.url)
            _LOG.error("%s", sentence)
        finally:
            del self._running[download.address.key]
            self._store.discard(download.draft)
            download.changed()

    async def _transfer(self, download: Download) -> None:
        written = 0
        async with self._upstream.file(download.address.url) as response:
            length = response.headers.get("content-length", "")
            if length.isdecimal():
                self._check_size(download, int(length))
                download.total = int(length)
                download.changed()
            async for chunk in response.aiter_raw():
                written += len(chunk)
                self._check_size(download, written)
                download.draft.write(chunk)
                download.draft.flush()
                download.sha256.update(chunk)
                download.available = max(written - 1, 0)
                download.changed()
        if download.address.sha256 not in {None, download.sha256.hexdigest()}:
            raise _refused(
                download.address, "has not the sha256 that its page promises; do not trust this index"
            )
        download.total = download.available = written
        download.complete = True
        download.changed()

    def _check_size(self, download: Download, size: int) -> None:
        if size > self._store.limit:
            raise _refused(download.address, "is larger than the whole cache; give the cache more room")


def _refused(address: FileAddress, why: str) -> UpstreamError:
    error = UpstreamError(f"The file {address.url} {why}.", status=502, url=address.url)
    _LOG.error("%s", error)
    return error
