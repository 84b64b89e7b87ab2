"""Leases: how a process of this host asks the holder for a machine and keeps it.

Called by whoever runs something in a machine (run, image_bake, benchmarks). A lease is a connection to the holder's
unix socket; its end, however it comes, destroys the machine. It never talks to libvirt.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from farm_images.catalogue import Image
from farm_images.machine import Bootable
from farm_scheduler.errors import FarmError

LINE_BYTES = 65536

TURN_SECONDS = 0.5
"""How often whoever waits for a machine is asked whether it still wants one."""


class LeaseError(FarmError):
    """No machine was to be had; the farm's fault, so the job is tried again."""

    code = "lease"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRequest:
    """What is asked of the holder; all paths are of this host.

    Attributes:
        agent: digest of the agent archive in the image, part of the template's key.
        template: False for a cold boot (the first machine of a fresh image, a benchmark).
        warm: False to leave a waiting clone aside and make a new one (a benchmark).
        index: whether the machine reaches the index proxy.
    """

    image: Bootable
    agent: str
    memory_mib: int
    vcpus: int
    template: bool = True
    warm: bool = True
    index: bool = True

    @classmethod
    def of(
        cls, image: Image, *, memory_mib: int, vcpus: int, template: bool = True, warm: bool = True
    ) -> "LeaseRequest":
        """A machine of `image` from the catalogue."""
        boot = Bootable(
            digest=image.digest,
            disk=image.disk,
            kernel=image.kernel,
            initrd=image.initrd,
            command_line=image.command_line,
            packages=image.packages_disk,
            packages_digest=image.packages_digest,
        )
        return cls(
            image=boot, agent=image.key, memory_mib=memory_mib, vcpus=vcpus, template=template, warm=warm
        )

    def line(self) -> bytes:
        """One JSON line."""
        document = asdict(self)
        document["image"] = {name: str(value or "") for name, value in document["image"].items()}
        return json.dumps(document).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> "LeaseRequest":
        """The request of one line; raises LeaseError when it is not one."""
        try:
            document = json.loads(line)
            image = document.pop("image")
            paths = {name: Path(image[name]) for name in ("disk", "kernel", "initrd")}
            boot = Bootable(
                digest=str(image["digest"]),
                command_line=str(image["command_line"]),
                packages=Path(image["packages"]) if image["packages"] else None,
                packages_digest=str(image["packages_digest"]),
                **paths,
            )
            return cls(image=boot, **document)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise LeaseError(
                f"the holder was asked for a machine in words it does not know: {error}"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A machine of one's own until the lease ends.

    Attributes:
        channel: the guest's channel; its agent has answered and waits for a job.
        accelerator_reason: the one line that says why this accelerator.
        warm: whether the machine was a waiting clone.
        cloned: whether it came from a template; False after a cold boot.
        answered_seconds: from the request to the agent's answer, as the holder saw it.
        seconds: the parts of that: created, loaded, answered.
        connection: the lease itself, to the holder.
    """

    channel: socket.socket
    machine_id: str
    accelerator: str
    accelerator_reason: str
    warm: bool
    cloned: bool
    answered_seconds: float
    seconds: dict[str, float]
    connection: socket.socket

    def check(self) -> None:
        """Whether the lease still stands: a machine that the holder took back is no fault of its job.

        Raises:
            LeaseError: the holder ended the lease, or has ended itself.
        """
        try:
            self.connection.settimeout(0)
            data = self.connection.recv(LINE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise LeaseError(f"the holder of this host's machines is gone: {error}.") from error
        if not data:
            raise LeaseError(
                "the holder of this host's machines ended during the job; the job is tried again."
            )
        message = json.loads(data.split(b"\n")[0])
        raise LeaseError(message["error"], **message.get("data", {}))


@contextlib.contextmanager
def lease(
    holder: Path,
    request: LeaseRequest,
    *,
    timeout: float,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Lease]:
    """Ask the holder at `holder` for a machine; leaving the block destroys it.

    `progress` is called with short sentences while the machine is made ("booting the template machine"), the same one
    again and again: what it raises ends the wait, and with it the machine in the making.

    Raises:
        LeaseError: no holder answers, it could not make a machine, or `timeout` seconds passed.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(holder))
            connection.sendall(request.line())
            answer, channel = _answer(connection, progress, time.monotonic() + timeout)
        except OSError as error:
            what = f"no answer within {timeout:.0f} s" if isinstance(error, TimeoutError) else str(error)
            raise LeaseError(f"the holder of this host's machines does not answer: {what}.") from error
        with channel:
            yield Lease(channel=channel, connection=connection, **answer)


def _answer(
    connection: socket.socket, progress: Callable[[str], None], deadline: float
) -> tuple[dict[str, Any], socket.socket]:
    """Read the holder's lines until the one that brings the machine."""
    buffer, said = b"", "waiting for a machine"
    connection.settimeout(TURN_SECONDS)
    files: list[int] = []
    try:
        while True:
            try:
                data, received, _, _ = socket.recv_fds(connection, LINE_BYTES, 1)
            except TimeoutError:
                if time.monotonic() > deadline:
                    raise
                progress(said)
                continue
            files += received
            if not data:
                raise LeaseError("the holder ended before it gave a machine; the job is tried again.")
            buffer += data
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                message = json.loads(line)
                if "progress" in message:
                    said = message["progress"]
                    progress(said)
                elif "error" in message:
                    raise LeaseError(message["error"], **message.get("data", {}))
                else:
                    return message["machine"], socket.socket(fileno=files.pop())
    finally:
        for left in files:
            socket.close(left)
