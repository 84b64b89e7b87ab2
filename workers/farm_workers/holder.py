"""The holder: the one process of a host that owns the libvirt folder, the templates and the waiting clones.

Started as `python -m farm_workers.holder` by the service. A lease is a connection to its socket: one JSON line asks for
a machine, its end destroys it. It runs no job, reads no stream and knows no database.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from farm_images.accelerator import choose
from farm_images.domain import Shape
from farm_images.errors import FarmError, MachineError
from farm_images.hypervisor import Hypervisor
from farm_images.machine import Machine, boot
from farm_images.templates import TemplateKey, Templates, template_key
from farm_scheduler.settings import Settings
from farm_workers.leases import LINE_BYTES, LeaseRequest
from farm_workers.warm_clones import WarmClones

_LOG = logging.getLogger("farm.holder")
_CLOSE_SECONDS = 5.0
_LIBVIRT_PATH_BYTES = 50
"""What is left of a socket's 107 bytes after libvirt's own folders under its root."""


class Holder:
    """Machines for leases, from waiting clones, templates or cold boots, in this order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hypervisor = Hypervisor(
            root=libvirt_folder(settings), home=settings.home, user=settings.qemu_user
        )
        reaped = self._hypervisor.reap()
        if reaped:
            _LOG.warning("destroyed %d machines that a killed holder left", reaped)
        shutil.rmtree(settings.home / "machines", ignore_errors=True)
        shutil.rmtree(self._hypervisor.root / "channels", ignore_errors=True)
        self._templates = Templates(self._hypervisor)
        self._warm = WarmClones()
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._leases: set[threading.Thread] = set()
        self.stopping = threading.Event()

    def serve(self, path: Path) -> None:
        """Answer leases on the unix socket `path` until `stopping` is set; then nothing of a machine is left."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen(64)
            listener.settimeout(0.2)
            try:
                while not self.stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        self._start_lease(listener.accept()[0])
            finally:
                path.unlink(missing_ok=True)
                self.close()

    def close(self) -> None:
        """Destroy every machine, also those that leases are making just now, and close libvirt."""
        self._warm.close()
        deadline = time.monotonic() + _CLOSE_SECONDS
        self._hypervisor.reap()
        for thread in list(self._leases):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._hypervisor.reap()
        shutil.rmtree(self._settings.home / "machines", ignore_errors=True)
        self._hypervisor.close()

    def _start_lease(self, connection: socket.socket) -> None:
        self._leases = {thread for thread in self._leases if thread.is_alive()}
        thread = threading.Thread(target=self._lease, args=(connection,), daemon=True)
        self._leases.add(thread)
        thread.start()

    def _lease(self, connection: socket.socket) -> None:
        """One lease from its request to its end, in a thread of its own."""
        machine = None
        with connection:
            try:
                connection.settimeout(30)
                request = LeaseRequest.parse(_read_line(connection))
                index = self._index_identity(request)
                machine, answer = self._machine(request, connection)
                message = json.dumps({"machine": answer}).encode() + b"\n"
                socket.send_fds(connection, [message], [machine.channel.fileno()])
                machine.channel.close()
                self._prepare_next(request)
                _wait_for_end(connection, lambda: self._check(request, index))
            except FarmError as error:
                _LOG.error("a lease is refused or taken back: %s", error)
                _tell(connection, error=error.sentence, data=_plain(error.data))
            except OSError as error:
                _LOG.info("a lease ended early: %s", error)
            finally:
                if machine is not None and not self.stopping.is_set():
                    machine.destroy()

    def _machine(self, request: LeaseRequest, connection: socket.socket) -> tuple[Machine, dict[str, Any]]:
        start = time.monotonic()

        def progress(text: str) -> None:
            _tell(connection, progress=text)

        shape, reason = self._shape(request, progress)
        key = template_key(self._hypervisor, request.image, shape, request.agent)
        machine = self._waiting(request, key)
        warm = cloned = machine is not None
        if machine is None and request.template:
            machine = self._clone(request, key, shape, progress)
            cloned = machine is not None
        if machine is None:
            progress("booting a machine")
            machine = boot(self._hypervisor, request.image, shape, index=self._index(request))
        return machine, {
            "machine_id": machine.identity,
            "accelerator": shape.accelerator,
            "accelerator_reason": reason,
            "warm": warm,
            "cloned": cloned,
            "answered_seconds": time.monotonic() - start,
            "seconds": dict(machine.seconds),
        }

    def _waiting(self, request: LeaseRequest, key: TemplateKey) -> Machine | None:
        """The clone that waits for this key, greeted anew; None when there is none or it has died."""
        if not (request.warm and request.template and request.index):
            return None
        machine = self._warm.take((key.digest, self._index_identity(request)))
        if machine is None:
            return None
        try:
            machine.greet(10)
        except MachineError as error:
            _LOG.warning("a waiting clone was lost: %s", error)
            machine.destroy()
            return None
        return machine

    def _shape(self, request: LeaseRequest, progress: Any) -> tuple[Shape, str]:
        shape = Shape(
            memory_mib=request.memory_mib,
            vcpus=request.vcpus,
            accelerator="tcg",
            machine_type=self._hypervisor.machine_type,
        )
        with self._making_lock("accelerator " + request.image.digest):
            choice = choose(self._hypervisor, request.image, shape, progress)
        if choice.accelerator == "kvm":
            shape = Shape(
                memory_mib=shape.memory_mib,
                vcpus=shape.vcpus,
                accelerator="kvm",
                machine_type=shape.machine_type,
            )
        return shape, choice.reason

    def _clone(self, request: LeaseRequest, key: TemplateKey, shape: Shape, progress: Any) -> Machine | None:
        """A clone of the template, which is made or made anew as needed; None when that fails."""
        index = self._index(request)
        for _ in range(2):
            machine = self._templates.clone(key, request.image, shape, index=index)
            if machine is not None:
                return machine
            with self._making_lock(key.digest):
                if self._templates.find(key) is not None:
                    continue  # made by another lease meanwhile
                try:
                    self._templates.make(key, request.image, shape, index=index, progress=progress)
                except MachineError as error:
                    _LOG.warning("%s; the machine boots cold", error)
                    return None
        return None

    def _prepare_next(self, request: LeaseRequest) -> None:
        """Put one clone aside for the next lease like this one."""
        if not (self._settings.waiting_clones and request.template and request.warm and request.index):
            return
        shape, _ = self._shape(request, lambda _: None)
        key = template_key(self._hypervisor, request.image, shape, request.agent)
        self._warm.fill(
            (key.digest, self._index_identity(request)),
            lambda: self._templates.clone(key, request.image, shape, index=self._index(request)),
        )

    def _index(self, request: LeaseRequest) -> Path | None:
        return self._settings.index_socket if request.index else None

    def _index_identity(self, request: LeaseRequest) -> str:
        """Which index proxy machines made now are connected to: its socket is a new file at each start."""
        if not request.index:
            return "none"
        try:
            found = self._settings.index_socket.stat()
        except FileNotFoundError:
            return "gone"
        return f"{found.st_ino}-{found.st_ctime_ns}"

    def _check(self, request: LeaseRequest, index: str) -> None:
        """Raises MachineError when a leased machine can be of no more use, which is not its job's fault."""
        if self.stopping.is_set():
            raise MachineError("the holder of this host's machines stops; the job is tried again.")
        if self._index_identity(request) != index:
            raise MachineError(
                "the package index proxy was started anew, so the machine lost it; the job is tried again."
            )

    def _making_lock(self, name: str) -> threading.Lock:
        with self._lock:
            return self._making.setdefault(name, threading.Lock())


def libvirt_folder(settings: Settings) -> Path:
    """Libvirt's folder: in the home, or under the sockets' short folder when the home's path is too long."""
    near = settings.home / "libvirt"
    if len(os.fsencode(near)) <= _LIBVIRT_PATH_BYTES:
        return near
    short = settings.sockets / "libvirt"
    if len(os.fsencode(short)) <= _LIBVIRT_PATH_BYTES:
        return short
    name = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"wheelfarm-{os.getuid()}-{name}-libvirt"


def _read_line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = connection.recv(LINE_BYTES)
        if not more or len(data) > LINE_BYTES:
            raise ConnectionResetError("no request came")
        data += more
    return data


def _tell(connection: socket.socket, **message: object) -> None:
    """Send one line; a client that has gone is found out by its end of the connection."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _plain(data: dict[str, object]) -> dict[str, object]:
    return {
        name: value if isinstance(value, int | float | str) else str(value) for name, value in data.items()
    }


def _wait_for_end(connection: socket.socket, check: Callable[[], None]) -> None:
    """Until the client's end of the connection is closed, by it or by its death, or `check` raises."""
    connection.settimeout(0.5)
    while True:
        check()
        with contextlib.suppress(TimeoutError):
            if not connection.recv(1024):
                return


def main() -> int:
    """Entry point of the process; 3 when the host cannot run machines."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        holder = Holder(Settings())
    except FarmError as error:
        _LOG.critical("%s", error)
        return 3
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: holder.stopping.set())
    holder.serve(Settings().holder_socket)
    return 0


if __name__ == "__main__":
    sys.exit(main())
