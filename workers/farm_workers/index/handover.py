"""How a machine comes to the proxy: one line of JSON and one listening socket over a unix connection.

Called by `machines` for each control connection. It never listens by itself, and takes nothing from a user
that the proxy was not told of.
"""

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import Collection

from farm_scheduler.errors import FarmError

_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MESSAGE_BYTES = 4096
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class HandoverError(FarmError):
    """A control connection did not bring one machine id and one listening socket."""

    code = "index-handover"


async def take_over(control: socket.socket, *, users: Collection[int]) -> tuple[str, socket.socket] | None:
    """Wait for the first message of a connection; give the machine's id and its listener, non-blocking.

    `users` are the uids that may send one. None says that the connection only looked whether someone
    answers. Raises HandoverError.
    """
    _, uid, _ = _CREDENTIALS.unpack(
        control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    if uid not in users:
        raise HandoverError(f"User {uid} may not hand over machines; let a user of the farm do it.", uid=uid)
    await _readable(control)
    data, descriptors, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 4)
    if not data and not descriptors:
        return None
    try:
        return _machine(data), _listener(descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def _readable(control: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(control, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(control)


def _machine(data: bytes) -> str:
    try:
        name = json.loads(data)["machine"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise HandoverError('Send one line of JSON such as {"machine": "m-1"} with the socket.') from error
    if not isinstance(name, str) or not _MACHINE.fullmatch(name):
        raise HandoverError(f"The machine id {name!r} is not letters, digits, - and _, at most 64.")
    return name


def _listener(descriptors: list[int]) -> socket.socket:
    """Give a copy of the one descriptor as a socket; the caller closes what came."""
    if len(descriptors) != 1:
        raise HandoverError(f"Send exactly one listening socket, not {len(descriptors)}.")
    copy = os.dup(descriptors[0])
    try:
        listener = socket.socket(fileno=copy)
    except OSError as error:
        os.close(copy)
        raise HandoverError("The descriptor is no socket; send the listener itself.") from error
    if listener.type != socket.SOCK_STREAM or not listener.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        listener.close()
        raise HandoverError("The socket does not listen; call listen() before sending it.")
    listener.setblocking(False)
    return listener
