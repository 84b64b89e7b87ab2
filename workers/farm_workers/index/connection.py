"""One HTTP/1.1 connection of a guest: reads bounded requests, sends answers, gives up on who is slow.

Called by `machines`, asks `site`. The protocol itself is h11's. It never reads a request's body, and never
waits longer than the times below for a guest.
"""

import asyncio
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import cast

import h11

from farm_workers.index.answers import Answer, FilePart, Request, plain
from farm_workers.index.guests import Guest
from farm_workers.index.site import Site
from farm_workers.index.upstream import UpstreamError

IDLE_SECONDS = 15.0
HEAD_SECONDS = 10.0
HEAD_BYTES = 16 * 1024
HEAD_READS = 64
PATH_BYTES = 1024
SLICE_SECONDS = 30.0
SLICE_BYTES = 1024 * 1024


class Connection:
    """Serves requests one after another until the guest ends, breaks a rule or stalls."""

    def __init__(self, channel: socket.socket, site: Site, guest: Guest) -> None:
        self._channel = channel
        self._site = site
        self._guest = guest
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)

    async def serve(self) -> None:
        """Serve until the connection ends; what the guest does wrong ends only this."""
        with suppress(OSError, TimeoutError, UpstreamError, h11.ProtocolError):
            while await self._exchange():
                self._http.start_next_cycle()

    async def _exchange(self) -> bool:
        """Take one request and answer it; say whether another one may follow."""
        try:
            request = await self._request()
        except h11.RemoteProtocolError as error:
            await self._send(plain(HTTPStatus(error.error_status_hint)), bare=False)
            return False
        if request is None:
            return False
        await self._guest.requests.turn()
        answer = self._refusal(request) or await self._site.answer(request, self._guest)
        await self._send(answer, bare=request.method == "HEAD" or answer.status == HTTPStatus.NOT_MODIFIED)
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _request(self) -> Request | None:
        deadline = self._loop.time() + IDLE_SECONDS
        for read in range(HEAD_READS):
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._http.next_event()  # its end, unless a body follows: then the answer is the last
                return Request(
                    method=event.method.decode("ascii"),
                    path=event.target.partition(b"?")[0].decode("ascii"),
                    headers={name.decode("ascii"): value.decode("latin-1") for name, value in event.headers},
                )
            if event is not h11.NEED_DATA:
                return None
            async with asyncio.timeout_at(deadline):
                self._http.receive_data(await self._loop.sock_recv(self._channel, HEAD_BYTES))
            if read == 0:
                deadline = self._loop.time() + HEAD_SECONDS
        return None

    def _refusal(self, request: Request) -> Answer | None:
        if len(request.path) > PATH_BYTES:
            return plain(HTTPStatus.REQUEST_URI_TOO_LONG)
        if self._http.their_state is h11.SEND_BODY:
            return plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    async def _send(self, answer: Answer, *, bare: bool) -> None:
        """Send an answer, `bare` without its body."""
        try:
            headers = [*answer.headers]
            if answer.status != HTTPStatus.NOT_MODIFIED:
                headers.append(("Content-Length", str(answer.length)))
            if self._http.their_state is not h11.DONE:
                headers.append(("Connection", "close"))
            response = h11.Response(
                status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
            )
            head = self._http.send(response) or b""
            if bare:
                await self._send_bytes(head)
            elif isinstance(answer.body, FilePart):
                await self._send_bytes(head)
                await self._send_part(answer.body)
            else:
                await self._send_bytes(head + (self._http.send(h11.Data(data=answer.body)) or b""))
            self._http.send(h11.EndOfMessage())
        finally:
            if isinstance(answer.body, FilePart):
                answer.body.file.close()

    async def _send_bytes(self, data: bytes) -> None:
        for start in range(0, len(data), SLICE_BYTES):
            async with asyncio.timeout(SLICE_SECONDS):
                await self._loop.sock_sendall(self._channel, memoryview(data)[start : start + SLICE_BYTES])

    async def _send_part(self, part: FilePart) -> None:
        position = part.start
        try:
            while position < part.stop:
                end = await part.download.more(position) if part.download else part.stop
                count = min(end, part.stop, position + SLICE_BYTES) - position
                async with asyncio.timeout(SLICE_SECONDS):
                    sent = await self._loop.sock_sendfile(self._channel, part.file, position, count)
                if sent != count:
                    raise OSError(f"{part.file.name} is shorter than {part.stop} bytes.")
                # h11 only counts what the kernel has sent: len() is all that it needs of the data.
                self._http.send_with_data_passthrough(h11.Data(data=cast("bytes", range(count))))
                position += count
        finally:
            if position > part.start:
                part.sent(position - part.start)
