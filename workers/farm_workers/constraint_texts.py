"""Constraints that lie on the web: fetched for a run once, bounded, and only from addresses that may be asked.

Called by installer_frames. All jobs of a run on this host have the same text, whatever the other side says later; with
a hash in the URL every host has. It never reads what the text says, and follows a redirect only to what may be asked.
"""

import hashlib
import os
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import httpx

from farm_scheduler.errors import FarmError, IndexUnavailableError, TargetError
from farm_scheduler.git_access import allowed_addresses
from farm_scheduler.settings import Settings

MOST_BYTES = 256 << 10
"""Of all constraints of a job together; OpenStack's have about 30 KiB. They go into one frame."""

SECONDS = 15.0
MOST_REDIRECTS = 4
_HASH = "#sha256="


class ConstraintsError(FarmError):
    """What a project or a person named as constraints cannot be used: theirs to correct, and no fault of the farm."""

    code = "constraints"
    exit_code: ClassVar[int] = 2


def constraint_texts(urls: Iterable[str], run_id: str, settings: Settings) -> tuple[str, ...]:
    """The texts at these URLs, in order.

    Raises:
        ConstraintsError: one is not there, may not be asked, is no text or too long, or has another hash.
        IndexUnavailableError: the other side does not answer.
    """
    texts = tuple(_text(url, run_id, settings) for url in urls)
    if sum(map(len, texts)) > MOST_BYTES:
        raise ConstraintsError(f"the constraints have more than {MOST_BYTES >> 10} KiB; name fewer of them")
    return texts


def _text(said: str, run_id: str, settings: Settings) -> str:
    url, _, promised = said.partition(_HASH)
    name = promised or f"{run_id}-{hashlib.sha256(url.encode()).hexdigest()[:32]}"
    kept = settings.home / "constraints" / f"{name}.txt"
    if not kept.is_file():
        content = _fetch(url, settings)
        found = hashlib.sha256(content).hexdigest()
        if promised and found != promised:
            sentence = (
                f"the constraints {url} have another sha256 than is promised ({found}); correct one of them"
            )
            raise ConstraintsError(sentence, url=url, sha256=found)
        _keep(kept, content)
    try:
        return kept.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConstraintsError(f"the constraints {url} are no text; name a file of lines", url=url) from error


def _keep(path: Path, content: bytes) -> None:
    """Put it in its place whole, unless another job of the run was faster: then that one's counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        Path(draft).unlink()


def _fetch(url: str, settings: Settings) -> bytes:
    where = httpx.URL(url)
    for _ in range(MOST_REDIRECTS + 1):
        try:
            answer = _get(where, settings)
        except TargetError as error:
            raise ConstraintsError(f"constraints: {error.sentence}", url=url) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            sentence = (
                f"the constraints {url} cannot be had now ({type(error).__name__}); they are asked for again"
            )
            raise IndexUnavailableError(sentence, url=url) from error
        if isinstance(answer, bytes):
            return answer
        where = where.join(answer)
    raise ConstraintsError(f"the constraints {url} lead from one address to the next; name the last", url=url)


def _get(url: httpx.URL, settings: Settings) -> bytes | str:
    """The body of what is there, or where it has gone.

    Raises:
        ConstraintsError: the other side says that there is none, or more than is read.
        TargetError, IndexUnavailableError: it is not asked, or its host has no address.
        httpx.HTTPError: it does not answer.
    """
    addresses = allowed_addresses(str(url), settings)
    place, headers, extensions = url, {}, {}
    if addresses:
        place = url.copy_with(host=addresses[0])
        headers, extensions = {"Host": url.netloc.decode("ascii")}, {"sni_hostname": url.host}
    with (
        httpx.Client(verify=ssl.create_default_context(), timeout=SECONDS, trust_env=not addresses) as client,
        client.stream("GET", place, headers=headers, extensions=extensions) as answer,
    ):
        if answer.has_redirect_location:
            return str(answer.headers["location"])
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            answer.raise_for_status()
        if answer.status_code != httpx.codes.OK:
            sentence = (
                f"the constraints {url} are not there: its host answers {answer.status_code}; correct the URL"
            )
            raise ConstraintsError(sentence, url=str(url), status=answer.status_code)
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > MOST_BYTES:
                sentence = f"the constraints {url} have more than {MOST_BYTES >> 10} KiB; name a shorter file"
                raise ConstraintsError(sentence, url=str(url))
        return bytes(body)
