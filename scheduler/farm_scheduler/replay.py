"""Replays stored evidence: the raw stream of an attempt, read again from its file.

Called by tests, by comparisons and by whoever doubts a record. It reads one file, in pieces, and never writes.
"""

from collections.abc import Iterable
from pathlib import Path

from farm_images.subunit_stream import Decoder
from farm_scheduler.errors import NotFoundError
from farm_scheduler.results import Results

CHUNK = 1 << 20


def replay(path: Path, environments: Iterable[str]) -> Results:
    """The results of a stored stream, complete; its verdict is `judge(results.evidence())`.

    Limits that the host enforced are not in a stream: give them to `evidence` as they were recorded.

    Raises:
        NotFoundError: the stream is not there.
    """
    results, decoder = Results(environments), Decoder()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                results.feed(decoder.feed(chunk))
    except FileNotFoundError as error:
        sentence = f"there is no stream {path}; it was removed, or the attempt never had a machine"
        raise NotFoundError(sentence, path=str(path)) from error
    results.feed(decoder.close())
    results.close()
    return results
