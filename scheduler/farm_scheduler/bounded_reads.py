"""A compressed stream that gives no more than was agreed: what an archive claims is not believed.

Called by the readers of archives. It only counts and refuses; it knows nothing of what is in the stream.
"""

import gzip
import io
import os
from pathlib import Path

CHUNK = 1 << 20
"""Bytes of one read: nothing in a source archive that is read at once is larger."""


class TooMuchError(OSError):
    """The stream gives more than was agreed, all in all or at once."""


class BoundedGzip(gzip.GzipFile):
    """A gzip file to read, of which no more than `limit` bytes come, and no more than `CHUNK` at once.

    A header of tar may claim that a name is gigabytes long, and `tarfile` would read it at once.
    """

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path, "rb")
        self._limit = limit

    def read(self, size: int | None = -1) -> bytes:
        """Bytes of the stream.

        Raises:
            TooMuchError: more was asked for than is allowed, or the stream goes on beyond its limit.
        """
        if size is None or not 0 <= size <= CHUNK:
            raise TooMuchError("a header claims more than any project needs")
        if self.tell() + size > self._limit:
            raise TooMuchError("it unpacks to more than any project needs")
        return super().read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Skip a file; the end that is skipped to counts as read."""
        if whence == os.SEEK_SET and offset > self._limit:
            raise TooMuchError("it unpacks to more than any project needs")
        return super().seek(offset, whence)
