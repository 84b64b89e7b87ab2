"""How a machine comes to the proxy: one line of JSON and one listening socket over a unix connection.

Called by `machines` for each control connection. A line without a socket says what a machine that is there may see. It
never listens by itself, and takes nothing from a user that the proxy was not told of.
"""

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from farm_scheduler.errors import FarmError

_MACHINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_MESSAGE_BYTES = 4096
_WANTED = 'Send one line of JSON such as {"machine": "m-1"} with the socket.'
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred of unix(7)


class HandoverError(FarmError):
    """A control connection did not bring one machine id and one listening socket."""

    code = "index-handover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A machine and its listening socket, non-blocking."""

    machine: str
    listener: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a machine may see of the index from now on: nothing that came after `cutoff`."""

    machine: str
    cutoff: datetime


async def take_over(control: socket.socket, *, users: Collection[int]) -> Handover | Policy | None:
    """Wait for the first message of a connection.

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
        message = _message(data)
        if "cutoff" in message and not descriptors:
            return Policy(machine=_machine(message), cutoff=_moment(message["cutoff"]))
        return Handover(machine=_machine(message), listener=_listener(descriptors))
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


def _message(data: bytes) -> dict[str, object]:
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise HandoverError(_WANTED) from error
    if not isinstance(message, dict):
        raise HandoverError(_WANTED)
    return message


def _moment(said: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError as error:
        raise HandoverError(f"The cut-off {said!r:.60} is no time; send it as RFC 3339 has it.") from error
    if moment.tzinfo is None:
        raise HandoverError(f"The cut-off {said!r:.60} has no zone; send it in UTC.")
    return moment


def _machine(message: dict[str, object]) -> str:
    name = message.get("machine")
    if name is None:
        raise HandoverError(_WANTED)
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
