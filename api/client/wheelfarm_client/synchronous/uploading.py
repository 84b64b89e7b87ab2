"""Files sent to a farm in pieces: a refusal is seen within one, and a broken connection goes on where it was.

A part of farm. The file is read piece by piece, and never held as a whole.
"""

from pathlib import Path
from typing import Callable, Optional

from wheelfarm_client import models
from wheelfarm_client.decoding import decode
from wheelfarm_client.errors import ClientError, ProblemError
from wheelfarm_client.paths import path_of
from wheelfarm_client.pauses import measure, read_piece
from wheelfarm_client.synchronous.connection import Connection

LARGEST_PIECE = 8 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Told the bytes that the farm has, and all there are."""


class Uploading(Connection):
    """The operations on uploads."""

    def open_upload(self, name: str, kind: str, size: int, sha256: str) -> models.Upload:
        """Announce a file: `folder` (a tar.gz with one top folder), `sdist` or `wheel`."""
        body = {"name": name, "kind": kind, "bytes": size, "sha256": sha256}
        return decode(models.Upload, self.request("POST", "/uploads", body=body))

    def get_upload(self, upload: str) -> models.Upload:
        """How much of it is there."""
        return decode(models.Upload, self.request("GET", path_of("uploads", upload)))

    def append_piece(self, upload: str, offset: int, piece: bytes) -> models.Upload:
        """Send a piece, at most 8 MiB; the same one twice is no error."""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/octet-stream"}
        found = self.request("PATCH", path_of("uploads", upload), content=piece, headers=headers)
        return decode(models.Upload, found)

    def delete_upload(self, upload: str) -> None:
        """Forget it."""
        self.request("DELETE", path_of("uploads", upload))

    def send_file(
        self,
        path: Path,
        kind: str,
        *,
        name: Optional[str] = None,
        progress: Optional[Progress] = None,
        upload: Optional[str] = None,
        piece_bytes: int = LARGEST_PIECE,
    ) -> models.Upload:
        """Send a file, or with `upload` the rest of one that was begun; the complete upload.

        Raises:
            ClientError: the file is another than the one that was begun.
        """
        size, sha256 = measure(path)
        if upload is None:
            found = self.open_upload(name or path.name, kind, size, sha256)
        else:
            found = self.get_upload(upload)
        if (found.bytes, found.sha256) != (size, sha256):
            raise ClientError(f"{path} is not the file of upload {found.id}; begin a new one")
        with path.open("rb") as stream:
            while found.received < size:
                piece = read_piece(stream, found.received, min(piece_bytes, LARGEST_PIECE))
                if not piece:
                    raise ClientError(f"{path} became shorter while it was sent; send it again")
                found = self._append(found, piece)
                if progress is not None:
                    progress(found.received, size)
        return found

    def _append(self, upload: models.Upload, piece: bytes) -> models.Upload:
        try:
            return self.append_piece(upload.id, upload.received, piece)
        except ProblemError as problem:
            if problem.status != 409 or problem.data.get("received") in (None, upload.received):
                raise
            return self.get_upload(upload.id)  # more is there than was known
