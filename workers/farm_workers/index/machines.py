"""The machines that the proxy serves now: each is a control connection that brought a listening socket.

Called by `index_proxy`. A machine is served for as long as its control connection is open, and every
connection of it ends with that one. It never lets one machine's trouble reach another.
"""

import asyncio
import logging
import socket
from collections.abc import Collection, Coroutine
from contextlib import suppress
from pathlib import Path

from farm_workers.index.connection import Connection
from farm_workers.index.guests import Guest
from farm_workers.index.handover import HandoverError, Policy, take_over
from farm_workers.index.site import Site

_LOG = logging.getLogger(__name__)
_HANDOVER_SECONDS = 30.0  # the sender connects first and enters its namespaces then
_BREATH_SECONDS = 0.2


class Machines:
    """All machines; `users` are the uids that may hand one over, `downloads` is the records' folder."""

    def __init__(self, site: Site, *, downloads: Path, users: Collection[int]) -> None:
        self._site = site
        self._downloads = downloads
        self._users = users
        self._guests: dict[str, Guest] = {}

    async def serve(self, control: socket.socket) -> None:
        """Take control connections from a non-blocking listening unix socket until cancelled."""
        async with asyncio.TaskGroup() as attending:
            while True:
                attending.create_task(_guarded(self._attend(await _accepted(control))))

    async def _attend(self, control: socket.socket) -> None:
        with control:
            try:
                async with asyncio.timeout(_HANDOVER_SECONDS):
                    handed = await take_over(control, users=self._users)
            except (HandoverError, TimeoutError, OSError) as error:
                _LOG.warning("A machine was not handed over: %s", str(error) or "nothing came in time.")
                return
            if handed is None:
                return
            if isinstance(handed, Policy):
                await self._obey(control, handed)
                return
            name = handed.machine
            with handed.listener as listener:
                if name in self._guests:
                    _LOG.warning("Machine %s was handed over twice; the first one stays.", name)
                    return
                guest = self._guests[name] = Guest(name, self._downloads)
                try:
                    await self._serve_until_closed(control, listener, guest)
                finally:
                    del self._guests[name]

    async def _obey(self, control: socket.socket, policy: Policy) -> None:
        """Hide from a machine what it is not to see, and say whether there is such a machine."""
        guest = self._guests.get(policy.machine)
        if guest is not None:
            guest.cutoff = policy.cutoff
            _LOG.info("Machine %s sees the index as of %s.", policy.machine, policy.cutoff.isoformat())
        with suppress(OSError):  # who does not wait for the answer is told nothing
            await asyncio.get_running_loop().sock_sendall(control, b"ok\n" if guest else b"unknown\n")

    async def _serve_until_closed(
        self, control: socket.socket, listener: socket.socket, guest: Guest
    ) -> None:
        _LOG.info("Machine %s is served.", guest.name)
        serving = asyncio.create_task(self._accept(listener, guest))
        try:
            with suppress(ConnectionError):
                await asyncio.get_running_loop().sock_recv(control, 1)  # its end; nothing else is agreed
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            guest.close()
            _LOG.info("Machine %s is gone.", guest.name)

    async def _accept(self, listener: socket.socket, guest: Guest) -> None:
        async with asyncio.TaskGroup() as connections:
            while True:
                await guest.connections.acquire()
                await guest.requests.turn()
                channel = await _accepted(listener)
                channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # head and file go apart
                connections.create_task(_guarded(self._converse(channel, guest)))

    async def _converse(self, channel: socket.socket, guest: Guest) -> None:
        try:
            with channel:
                await Connection(channel, self._site, guest).serve()
        finally:
            guest.connections.release()


async def _accepted(listener: socket.socket) -> socket.socket:
    while True:
        try:
            channel, _ = await asyncio.get_running_loop().sock_accept(listener)
        except OSError as error:  # the other end left already, or there are no descriptors left
            _LOG.debug("accept: %s", error)
            await asyncio.sleep(_BREATH_SECONDS)
        else:
            return channel


async def _guarded(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except Exception:  # noqa: BLE001 - a mistake of ours in one conversation must not end all the others
        _LOG.exception("The index proxy made a mistake in one connection.")
