"""`/uploads`: files for runs, in pieces of at most 8 MiB that go on where a connection broke.

Included by application. The bytes are stored as they come; whether they are a project is found by a worker, never here.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from farm_api.v1.callers import Submitter
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, REPEATABLE, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.matches import IfMatch
from farm_api.v1.problems import responses
from farm_api.v1.shapes import Shape, UploadId
from farm_scheduler import access_tables, uploads
from farm_scheduler.access_tables import ArchiveKind, UploadState

router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=Door)

LARGEST = 1 << 40


class NewUpload(BaseModel):
    """A file that is to come."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+!-]{0,199}$")]
    """Its file name; of a folder the folder's."""
    kind: ArchiveKind
    """`folder`: a tar.gz with one top folder."""
    bytes: Annotated[int, Field(ge=1, le=LARGEST)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Upload(Shape):
    """A file that comes in pieces."""

    id: str
    name: str
    kind: ArchiveKind
    bytes: int
    sha256: str
    received: int
    """Bytes that are there: the offset of the next piece."""
    state: UploadState
    created: datetime
    updated: datetime


@router.post("", status_code=201, dependencies=REPEATABLE, responses=responses(409, 413, 507))
def open_upload(caller: Submitter, house: TheHouse, wish: NewUpload) -> Upload:
    """Announce a file. What is too large is refused at once."""
    row = access_tables.Upload(actor=caller.actor, **wish.model_dump())
    with house.database.write() as session:
        uploads.open_upload(session, caller, row, house.settings)
    return Upload.model_validate(row)


@router.get("/{upload}", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def get_upload(caller: Submitter, house: TheHouse, upload: UploadId) -> Upload:
    """How much of a file is there."""
    with house.database.read() as session:
        return Upload.model_validate(uploads.find_upload(session, caller, upload))


@router.patch("/{upload}", responses=responses(404, 409, 413, 507))
def append_piece(
    caller: Submitter,
    house: TheHouse,
    match: IfMatch,
    upload: UploadId,
    offset: Annotated[int, Header(alias="Upload-Offset", ge=0, le=LARGEST)],
    piece: Annotated[bytes, Body(media_type="application/octet-stream", min_length=1)],
) -> Upload:
    """Send the next piece, at the offset that is known; the same piece twice is no error."""

    def check(row: access_tables.Upload) -> None:
        match.check(Upload.model_validate(row))

    found = uploads.append(house.database, caller, house.settings, upload, offset, piece, check=check)
    return Upload.model_validate(found)


@router.delete("/{upload}", status_code=204, responses=responses(404))
def delete_upload(caller: Submitter, house: TheHouse, match: IfMatch, upload: UploadId) -> Response:
    """Forget a file."""
    with house.database.write() as session:
        row = uploads.find_upload(session, caller, upload)
        match.check(Upload.model_validate(row))
        uploads.delete_upload(session, caller, row)
    uploads.remove_file(house.settings, upload)
    return Response(status_code=204)
