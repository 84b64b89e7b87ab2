"""The results of a run as files: JUnit XML, and the evidence of all its cells as one subunit stream.

Included by application. The XML is made from the record; the stream is read and written anew by a child process, as
this one never parses what a guest wrote.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from typing import IO

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from farm_api.v1.attempts import SUBUNIT, Artifacts, file_responses
from farm_api.v1.callers import Reader, TheClient
from farm_api.v1.door import CONDITIONAL, NOT_MODIFIED, Door
from farm_api.v1.house import TheHouse
from farm_api.v1.problems import responses
from farm_api.v1.reading import find_run
from farm_api.v1.shapes import Artifact, RunId
from farm_scheduler.junit import write_junit
from farm_scheduler.run_report import read_report

router = APIRouter(prefix="/runs/{run}", tags=["runs"], route_class=Door)

CHUNK = 64 << 10
IN_MEMORY = 4 << 20


@router.get("/artifacts", dependencies=CONDITIONAL, responses={**NOT_MODIFIED, **responses(404)})
def list_run_artifacts(caller: Reader, house: TheHouse, run: RunId) -> Artifacts:
    """The files that there are of a run; those of its attempts are listed there."""
    with house.database.read() as session:
        find_run(session, caller, run)
    kinds = {"junit.xml": "application/xml", "evidence.subunit": SUBUNIT}
    return Artifacts(
        items=[
            Artifact(name=name, media_type=kind, bytes=None, href=f"/runs/{run}/{name}")
            for name, kind in kinds.items()
        ]
    )


@router.get("/junit.xml", response_class=StreamingResponse, responses=file_responses("application/xml"))
def get_junit(caller: Reader, house: TheHouse, run: RunId) -> Response:
    """The run as JUnit XML, as CI servers read it."""
    with house.database.read() as session, contextlib.ExitStack() as held:
        find_run(session, caller, run)
        stream = held.enter_context(tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))
        write_junit(session, read_report(session, run, failing=0), stream)  # type: ignore[arg-type]  # it is binary, and typeshed's class no BinaryIO
        held.pop_all()  # closed when it was sent
    stream.seek(0)
    return StreamingResponse(_chunks(stream), media_type="application/xml")


@router.get("/evidence.subunit", response_class=StreamingResponse, responses=file_responses(SUBUNIT))
def get_run_evidence(caller: Reader, house: TheHouse, client: TheClient, run: RunId) -> Response:
    """The evidence of the newest attempts as one stream; its routes are CELL/ENVIRONMENT."""
    with house.database.read() as session:
        find_run(session, caller, run)
        report = read_report(session, run, failing=0)
    return house.logs.evidence(report.cells, client).response(SUBUNIT)


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(CHUNK):
            yield chunk
