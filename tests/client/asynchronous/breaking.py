"""A network that breaks: requests arrive, and their answers are lost or cut off."""

from collections.abc import AsyncIterator
from typing import Any

import httpx


class AsyncBreaking(httpx.AsyncHTTPTransport):
    """The real network, which loses each answer whose turn is in `lost`, and cuts those in `cut` after one chunk."""

    def __init__(self, lost: Any = (), cut: Any = ()) -> None:
        super().__init__()
        self.sent: list[str] = []
        self._lost = frozenset(lost)
        self._cut = frozenset(cut)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it for good, and then break."""
        turn = len(self.sent)
        self.sent.append(f"{request.method} {request.url.path}")
        response = await super().handle_async_request(request)
        if turn in self._lost:
            await response.aread()
            raise httpx.ReadError("the connection broke", request=request)
        if turn in self._cut:
            response.stream = Cut(response.stream)
        return response


class Cut(httpx.AsyncByteStream):
    """A body that breaks off behind its first event."""

    def __init__(self, whole: Any) -> None:
        self._whole = whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Some of it."""
        broken = False
        async for chunk in self._whole:
            if not broken:
                yield chunk
            broken = broken or b"event:" in chunk
        if broken:
            raise httpx.ReadError("the connection broke")

    async def aclose(self) -> None:
        """The rest is not wanted."""
        await self._whole.aclose()


class AsyncQuiet(httpx.AsyncByteStream):
    """A body that says one thing, and ends in good order."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """All of it."""
        yield self._said
