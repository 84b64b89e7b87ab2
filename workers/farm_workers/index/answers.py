"""What is said to a guest: a short text, a page, or a part of a file that may still be on its way.

Made by `site`, sent by `connection`. It never opens a file or fetches anything by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO

from farm_workers.index.downloads import Download

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One bounded request: the raw path without its query, and lower-case header names."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """The bytes `start` to `stop` of `file`, which the receiver closes; those of a `download` come in time.

    `sent` is told how many bytes reached the guest, also when it left early.
    """

    file: BinaryIO
    start: int
    stop: int
    download: Download | None
    sent: Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status, headers (the length is added by the connection) and the body."""

    status: HTTPStatus
    headers: Headers = ()
    body: bytes | FilePart = field(default=b"")

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.stop - self.body.start


def plain(status: HTTPStatus, text: str = "", headers: Headers = ()) -> Answer:
    """Say something in one line of text."""
    body = f"{text or status.phrase}\n".encode()
    return Answer(status=status, headers=(("Content-Type", "text/plain; charset=utf-8"), *headers), body=body)
