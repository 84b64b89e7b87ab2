"""A network that breaks: requests arrive, and their answers are lost or cut off."""

from collections.abc import Iterator
from typing import Any

import httpx


class Breaking(httpx.HTTPTransport):
    """The real network, which loses each answer whose turn is in `lost`, and cuts those in `cut` after one chunk."""

    def __init__(self, lost: Any = (), cut: Any = ()) -> None:
        super().__init__()
        self.sent: list[str] = []
        self._lost = frozenset(lost)
        self._cut = frozenset(cut)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it for good, and then break."""
        turn = len(self.sent)
        self.sent.append(f"{request.method} {request.url.path}")
        response = super().handle_request(request)
        if turn in self._lost:
            response.read()
            raise httpx.ReadError("the connection broke", request=request)
        if turn in self._cut:
            response.stream = Cut(response.stream)
        return response


class Cut(httpx.SyncByteStream):
    """A body that breaks off behind its first event."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    def __iter__(self) -> Iterator[bytes]:
        """Some of it."""
        broken = False
        for chunk in self._whole:
            if not broken:
                yield chunk
            broken = broken or b"event:" in chunk
        if broken:
            raise httpx.ReadError("the connection broke")

    def close(self) -> None:
        """The rest is not wanted."""
        self._whole.close()


class Quiet(httpx.SyncByteStream):
    """A body that says one thing, and ends in good order."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def __iter__(self) -> Iterator[bytes]:
        """All of it."""
        yield self._said
