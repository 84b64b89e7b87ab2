"""Uploads: a file comes in pieces, each at the offset that is known, and goes on after a broken connection.

Called by the API's doors, which take the bytes, and by submissions, which use the file. Nothing of it is parsed here
but its first four bytes, which tell an archive; whoever sends no archive learns that with the first piece.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, col, func, select

from farm_scheduler.access_tables import ArchiveKind, Upload, UploadState
from farm_scheduler.audit import note_change
from farm_scheduler.database import Database
from farm_scheduler.disk_room import check_room
from farm_scheduler.errors import NotFoundError, UploadError
from farm_scheduler.roles import Caller, Role
from farm_scheduler.settings import Settings
from farm_scheduler.tables import now

LARGEST_PIECE = 8 << 20
"""Bytes of one piece."""

OPEN_AT_ONCE = 16
"""Uploads that one token may have which no run has used yet."""

KEPT_FOR = timedelta(days=1)
"""How long an upload is kept after its last piece."""

BEGINNINGS = {
    ArchiveKind.FOLDER: (b"\x1f\x8b",),
    ArchiveKind.SDIST: (b"\x1f\x8b", b"PK\x03\x04"),
    ArchiveKind.WHEEL: (b"PK\x03\x04",),
}
"""What a gzip and a zip file begin with (RFC 1952, APPNOTE.TXT)."""


def open_upload(session: Session, caller: Caller, upload: Upload, settings: Settings) -> Upload:
    """Begin to take a file of a size and digest that are told beforehand.

    Raises:
        UploadError: it is larger than a source may be, or the token has too many open.
    """
    if upload.bytes > settings.source_bytes:
        told = f"{upload.name} has {upload.bytes} bytes, and the farm takes {settings.source_bytes}"
        sentence = f"{told}; leave out what no test needs"
        raise UploadError(sentence, limit=settings.source_bytes, too_large=True)
    chosen = select(func.count()).select_from(Upload)
    chosen = chosen.where(Upload.actor == caller.actor)
    if session.exec(chosen).one() >= OPEN_AT_ONCE:
        raise UploadError(f"{OPEN_AT_ONCE} uploads wait already; use or delete one", limit=OPEN_AT_ONCE)
    session.add(upload)
    note_change(session, caller, "upload.open", upload.id, name=upload.name, bytes=upload.bytes)
    return upload


def find_upload(session: Session, caller: Caller, upload_id: str) -> Upload:
    """An upload of the caller's own; an admin sees all.

    Raises:
        NotFoundError: there is none.
    """
    upload = session.get(Upload, upload_id)
    if upload is None or not (upload.actor == caller.actor or caller.may(Role.ADMIN)):
        raise NotFoundError(f"there is no upload {upload_id} (any more); begin a new one", upload=upload_id)
    return upload


def append(
    database: Database,
    caller: Caller,
    settings: Settings,
    upload_id: str,
    offset: int,
    piece: bytes,
    *,
    check: Callable[[Upload], None] = lambda _: None,
) -> Upload:
    """Take a piece; the same piece twice is no error, as its answer may have been lost.

    `check` refuses, by an error, to go on with the upload as it is.

    Raises:
        NotFoundError: there is no such upload.
        UploadError: the offset is not what is there (`data["received"]`), too many bytes, or no archive.
        NoRoomError: the disk is full.
    """
    with database.read() as session:
        upload = find_upload(session, caller, upload_id)
    _check_piece(upload, offset, piece)
    if offset + len(piece) <= upload.received:
        return upload  # it has come before, and only its answer was lost
    check(upload)
    try:
        _write(settings.uploads / upload.id, offset, piece)
    except OSError as error:
        check_room(error, settings.uploads)
        raise
    with database.write() as session:
        upload = find_upload(session, caller, upload_id)
        check(upload)
        upload.received, upload.updated = max(upload.received, offset + len(piece)), now()
        if upload.received == upload.bytes:
            upload.state = UploadState.COMPLETE
        return upload


def _check_piece(upload: Upload, offset: int, piece: bytes) -> None:
    whole = offset + len(piece)
    if offset > upload.received or (whole > upload.received > offset):
        sentence = (
            f"{upload.received} bytes are there, so the next piece begins at {upload.received}, not {offset}"
        )
        raise UploadError(sentence, received=upload.received, conflict=True)
    if whole > upload.bytes:
        told = f"the upload was announced with {upload.bytes} bytes, and this piece ends at {whole}"
        sentence = f"{told}; begin a new one"
        raise UploadError(sentence, bytes=upload.bytes)
    beginnings = BEGINNINGS[upload.kind]
    if offset == 0 and not any(piece.startswith(each[: max(1, len(piece))]) for each in beginnings):
        sentence = f"{upload.name} is no {upload.kind.value}: it begins like no such archive"
        raise UploadError(sentence, kind=upload.kind.value)


def _write(path: Path, offset: int, piece: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, piece, offset)
    finally:
        os.close(handle)


def delete_upload(session: Session, caller: Caller, upload: Upload) -> None:
    """Forget an upload; remove_file after the transaction removes its bytes."""
    session.delete(upload)
    note_change(session, caller, "upload.delete", upload.id)


def remove_file(settings: Settings, upload_id: str) -> None:
    """Remove the bytes of an upload that is forgotten."""
    (settings.uploads / upload_id).unlink(missing_ok=True)


def drop_old(database: Database, settings: Settings) -> None:
    """Forget what nobody went on with: called by the sweep."""
    with database.read() as session:
        old = session.exec(select(Upload.id).where(col(Upload.updated) < now() - KEPT_FOR)).all()
    for upload_id in old:
        forget_upload(database, settings, upload_id)


def forget_upload(database: Database, settings: Settings, upload_id: str) -> None:
    """Remove an upload and its bytes, whoever's it is: a worker has used it, or nobody goes on with it."""
    with database.write() as session:
        upload = session.get(Upload, upload_id)
        if upload is not None:
            session.delete(upload)
    remove_file(settings, upload_id)
