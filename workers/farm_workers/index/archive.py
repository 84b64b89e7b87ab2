"""Debian's archive as a guest's apt asks for it: files that never change, and the signed lists of what they are.

Called by `site`. apt in the guest checks the signature of a suite's InRelease, and by it everything else: nothing here
vouches for a byte. What is fetched is bounded by its address: InRelease, indexes by the digest of their content, and
the pool; no other list of the archive, no other host.
"""

import hashlib
import json
import os
import re
import time
from dataclasses import asdict, replace
from http import HTTPStatus

from farm_workers.index.downloads import Downloads, FileAddress
from farm_workers.index.guests import Fetches
from farm_workers.index.store import Store
from farm_workers.index.upstream import PageAnswer, Upstream, UpstreamError

_WORD = r"[A-Za-z0-9][A-Za-z0-9.+~_:-]{0,199}"
_RELEASE = re.compile(rf"debian(?:-security)?/dists/{_WORD}/InRelease")
_INDEX = re.compile(
    rf"debian(?:-security)?/dists/{_WORD}/{_WORD}/{_WORD}/by-hash/SHA256/(?P<sha256>[0-9a-f]{{64}})"
)
_POOL = re.compile(rf"debian(?:-security)?/pool/(?:updates/)?{_WORD}/{_WORD}/{_WORD}/{_WORD}\.deb")


def is_release(path: str) -> bool:
    """Whether a path is that of a suite's signed list, the one file that changes."""
    return _RELEASE.fullmatch(path) is not None


class Archive:
    """One mirror of the archive. `seconds` is how long an InRelease counts as fresh."""

    def __init__(self, store: Store, mirror: Upstream, *, seconds: float) -> None:
        self.downloads = Downloads(store, mirror)
        self._store = store
        self._mirror = mirror
        self._seconds = seconds

    async def aclose(self) -> None:
        """Stop every transfer and close every connection."""
        await self.downloads.aclose()
        await self._mirror.aclose()

    def address(self, path: str) -> FileAddress | None:
        """Where a file that never changes is; None for any other path."""
        index, pool = _INDEX.fullmatch(path), _POOL.fullmatch(path)
        if index is None and pool is None:
            return None
        return FileAddress(url=f"{self._mirror.root}/{path}", sha256=index["sha256"] if index else None)

    async def release(self, path: str, fetches: Fetches) -> PageAnswer:
        """A suite's InRelease: the copy while it is fresh, or the mirror is in trouble. Raises UpstreamError."""
        url = f"{self._mirror.root}/{path}"
        key = hashlib.sha256(f"release {url}".encode()).hexdigest()
        held, age = self._held(key)
        if held and (age < self._seconds or self._mirror.in_trouble):
            return held
        await fetches.acquire()
        try:
            return await self._renewed(url, key, held)
        except UpstreamError as error:
            if held is None or error.status == HTTPStatus.NOT_FOUND:
                raise
            return held
        finally:
            fetches.release()

    async def _renewed(self, url: str, key: str, held: PageAnswer | None) -> PageAnswer:
        since = {"If-Modified-Since": held.last_modified} if held and held.last_modified else {}
        answer = await self._mirror.changed(url, since)
        if answer is None and held is not None:
            self._store.refresh("pages", key)
            return held
        if answer is None:
            raise UpstreamError(
                f"The mirror answered 304 for {url} unasked; see what is wrong with it.", status=502
            )
        draft = self._store.draft()
        try:
            draft.write(
                json.dumps(asdict(replace(answer, body=b"")) | {"body": ""}).encode() + b"\n" + answer.body
            )
            await self._store.keep("pages", key, draft)
        finally:
            self._store.discard(draft)
        return answer

    def _held(self, key: str) -> tuple[PageAnswer | None, float]:
        """The copy and its age in seconds."""
        entry = self._store.open("pages", key)
        if entry is None:
            return None, 0.0
        with entry:
            try:
                heading = json.loads(entry.readline())
                answer = PageAnswer(**(heading | {"body": entry.read()}))
            except (ValueError, TypeError):  # damaged, or of another version: fetched anew
                return None, 0.0
            return answer, abs(time.time() - os.fstat(entry.fileno()).st_mtime)
