"""The cache on disk: shelves of immutable entries, written whole or not at all, the least used removed first.

Called by `page_cache` (shelf `pages`) and `downloads` (shelf `files`). It never looks into an entry; a kill
at any moment leaves only a draft, which the next start removes. One process owns the folder: `index_proxy`
holds its lock.
"""

import asyncio
import os
import shutil
import tempfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

Shelf = Literal["pages", "files"]


class Store:
    """Entries by shelf and key below `root`, together at most about `limit` bytes.

    A key is a normalised project name or a hex digest: the callers see to that, so it is a safe file name.
    """

    def __init__(self, root: Path, *, limit: int) -> None:
        self._root = root
        self.limit = limit
        self._drafts = root / "drafts"
        self._sizes: OrderedDict[Path, int] = OrderedDict()
        self._total = 0
        shutil.rmtree(self._drafts, ignore_errors=True)
        self._drafts.mkdir(parents=True)
        self._take_stock()

    def open(self, shelf: Shelf, key: str) -> BinaryIO | None:
        """Open an entry for reading and count it as used; None when it is not there."""
        path = self._path(shelf, key)
        try:
            entry = path.open("rb")
        except FileNotFoundError:
            self._forget(path)
            return None
        if path in self._sizes:
            self._sizes.move_to_end(path)
        if shelf == "files":  # the time of a page says when it was fetched
            os.utime(path)
        return entry

    def holds(self, shelf: Shelf, key: str) -> bool:
        """Say whether an entry is there, without counting it as used."""
        return self._path(shelf, key) in self._sizes

    def draft(self) -> BinaryIO:
        """Open a nameless-to-be file to write an entry into; end it with `keep` or `discard`."""
        descriptor, name = tempfile.mkstemp(dir=self._drafts)
        os.close(descriptor)
        return Path(name).open("wb")

    async def keep(self, shelf: Shelf, key: str, draft: BinaryIO) -> None:
        """Put a finished draft in its place, durably, then make room."""
        draft.flush()
        await asyncio.to_thread(os.fsync, draft.fileno())
        path = self._path(shelf, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        Path(draft.name).rename(path)
        size = draft.tell()
        draft.close()
        self._forget(path)
        self._sizes[path] = size
        self._total += size
        self._make_room()

    def discard(self, draft: BinaryIO) -> None:
        """Throw a draft away, unless it was kept."""
        with suppress(OSError):  # a full disk fails the flush once more
            draft.close()
        Path(draft.name).unlink(missing_ok=True)

    def remove(self, shelf: Shelf, key: str) -> None:
        """Remove an entry if it is there; who has it open reads on."""
        path = self._path(shelf, key)
        path.unlink(missing_ok=True)
        self._forget(path)

    def refresh(self, shelf: Shelf, key: str) -> None:
        """Set an entry's time to now, if it is still there."""
        path = self._path(shelf, key)
        if path in self._sizes:
            os.utime(path)

    def _path(self, shelf: Shelf, key: str) -> Path:
        return self._root / shelf / key[:2] / key

    def _forget(self, path: Path) -> None:
        self._total -= self._sizes.pop(path, 0)

    def _make_room(self) -> None:
        while self._total > self.limit and self._sizes:
            path, size = self._sizes.popitem(last=False)
            self._total -= size
            path.unlink(missing_ok=True)

    def _take_stock(self) -> None:
        found = [
            (stat.st_mtime, path, stat.st_size)
            for shelf in ("pages", "files")
            for path in (self._root / shelf).glob("*/*")
            for stat in [path.stat()]
        ]
        for _, path, size in sorted(found):
            self._sizes[path] = size
            self._total += size
        self._make_room()
