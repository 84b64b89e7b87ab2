"""The disposable machine: booted from an image or cloned from a template, used once, destroyed.

Called by farm_images.templates and by the holder. Whoever makes a Machine owns it and destroys it, whatever
happened; nothing here outlives `destroy`.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import libvirt

from farm_images import guest
from farm_images.domain import Confinement, Domain, Shape
from farm_images.errors import MachineError
from farm_images.hypervisor import PREFIX, Hypervisor

BOOT_SECONDS = 240.0
"""How long a cold boot may take until its agent answers: 10 to 15 s alone under TCG, far more on a busy host."""

CLONE_SECONDS = 30.0
_LOAD_PAUSE = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootable:
    """The files of an image that a machine starts from; all of them are immutable.

    Attributes:
        digest: the image's id, the SHA-256 of its disk file.
        command_line: the kernel's command line.
        packages: the package disk, if the image has one.
        packages_digest: its SHA-256, or empty.
    """

    digest: str
    disk: Path
    kernel: Path
    initrd: Path
    command_line: str
    packages: Path | None = None
    packages_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A saved machine that clones start from: device state, memory and disk, all of one moment.

    Attributes:
        disk: the overlay as it was then, read-only.
        blank: an empty overlay over `disk`; a copy of it is a clone's disk (qemu-img would cost 0.03 s each).
    """

    state: Path
    memory: Path
    disk: Path
    blank: Path


@dataclass(slots=True, kw_only=True)
class Machine:
    """One running machine. `channel` is open and its agent has answered; `seconds` tells how long each part took."""

    hypervisor: Hypervisor
    identity: str
    folder: Path
    domain: libvirt.virDomain
    channel: socket.socket
    shape: Shape
    seconds: Mapping[str, float] = field(default_factory=dict)

    def greet(self, timeout: float) -> float:
        """Fresh entropy and time for the guest; returns the seconds until its agent answered."""
        return guest.greet(self.channel, timeout=timeout)

    def destroy(self) -> None:
        """End the machine and remove its files; safe to call twice and after a crash of QEMU."""
        self.channel.close()
        self.hypervisor.destroy(self.domain)
        shutil.rmtree(self.folder, ignore_errors=True)
        _channel_path(self.hypervisor, self.identity).unlink(missing_ok=True)

    def console(self, most: int = 4000) -> str:
        """The end of what the guest's kernel and init wrote, for the error of a machine that did not come up."""
        try:
            data = (self.folder / "console.log").read_bytes()[-most:]
        except OSError:
            return ""
        return data.decode("utf-8", "replace")


def boot(
    hypervisor: Hypervisor,
    image: Bootable,
    shape: Shape,
    *,
    index: Path | None,
    memory: Path | None = None,
    timeout: float = BOOT_SECONDS,
) -> Machine:
    """Boot `image` cold and wait for its agent; with `memory`, a shared file holds the guest's memory.

    Raises:
        MachineError: it did not start, or its agent did not answer within `timeout` seconds.
    """
    start = time.monotonic()
    identity, folder = _prepare(hypervisor)
    try:
        make_overlay(folder / "disk.qcow2", image.disk)
    except MachineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    domain = _domain(
        hypervisor, image, shape, identity, folder, index, memory=memory, shared=memory is not None
    )
    machine = _launch(hypervisor, domain, identity, folder, paused=False)
    created = time.monotonic() - start
    try:
        machine.greet(timeout)
    except MachineError as error:
        console = machine.console()
        machine.destroy()
        raise MachineError(f"{error.sentence} after a cold boot", console=console, **error.data) from error
    machine.seconds = {"created": created, "answered": time.monotonic() - start}
    return machine


def clone(
    hypervisor: Hypervisor,
    image: Bootable,
    shape: Shape,
    snapshot: Snapshot,
    *,
    index: Path | None,
    timeout: float = CLONE_SECONDS,
) -> Machine:
    """A machine that goes on where `snapshot` stopped, with its own view of memory and disk.

    Raises:
        MachineError: it did not start, load or answer; the caller then falls back to a cold boot.
    """
    start = time.monotonic()
    identity, folder = _prepare(hypervisor)
    try:
        shutil.copyfile(snapshot.blank, folder / "disk.qcow2")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise MachineError(f"no disk for a machine could be made in {folder}: {error}") from error
    domain = _domain(hypervisor, image, shape, identity, folder, index, memory=snapshot.memory, incoming=True)
    machine = _launch(hypervisor, domain, identity, folder, paused=True)
    created = time.monotonic() - start
    try:
        _load(machine, snapshot.state, timeout)
        loaded = time.monotonic() - start
        machine.domain.resume()
        machine.greet(timeout)
    except (MachineError, libvirt.libvirtError, OSError) as error:
        machine.destroy()
        raise MachineError(f"the clone of a template did not come up: {error}") from error
    machine.seconds = {"created": created, "loaded": loaded, "answered": time.monotonic() - start}
    return machine


def _prepare(hypervisor: Hypervisor) -> tuple[str, Path]:
    """A name and a folder for a new machine."""
    identity = "m-" + secrets.token_hex(4)
    folder = hypervisor.home / "machines" / identity
    folder.mkdir(parents=True)
    return identity, folder


def make_overlay(path: Path, backing: Path) -> None:
    """An empty qcow2 file at `path` over `backing`, which it names by its path."""
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(backing), "-F", "qcow2", str(path)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    except (subprocess.SubprocessError, OSError) as error:
        raise MachineError(f"no disk could be made at {path}: {error}") from error


def _domain(  # noqa: PLR0913 - one machine is these facts; a class for them would be Domain again
    hypervisor: Hypervisor,
    image: Bootable,
    shape: Shape,
    identity: str,
    folder: Path,
    index: Path | None,
    *,
    memory: Path | None = None,
    shared: bool = False,
    incoming: bool = False,
) -> Domain:
    visible = [f"{image.disk.parent}:ro", f"{folder}:rw"]
    own = [str(folder / "disk.qcow2")]
    if memory is not None:
        # QEMU opens the memory for writing even where its view is private; all else of a template is closed to it.
        visible += [f"{memory.parent}:ro", f"{memory}:rw"]
        own.append(str(memory))
    confinement = Confinement(
        home=hypervisor.home, user=hypervisor.user, visible=tuple(visible), own=tuple(own), index=index
    )
    return Domain(
        name=PREFIX + identity,
        machine=identity,
        shape=shape,
        emulator=hypervisor.emulator,
        kernel=image.kernel,
        initrd=image.initrd,
        command_line=image.command_line,
        disk=folder / "disk.qcow2",
        packages=image.packages,
        channel=_channel_path(hypervisor, identity),
        console=folder / "console.log",
        confinement=confinement,
        memory=memory,
        memory_shared=shared,
        incoming=incoming,
    )


def _launch(hypervisor: Hypervisor, domain: Domain, identity: str, folder: Path, *, paused: bool) -> Machine:
    """Start QEMU and open its channel; on failure nothing of the machine is left."""
    domain.channel.parent.mkdir(parents=True, exist_ok=True)
    started = None
    try:
        started = hypervisor.start(domain.xml(), paused=paused)
        channel = guest.connect(domain.channel, timeout=10)
    except MachineError:
        if started is not None:
            hypervisor.destroy(started)
        shutil.rmtree(folder, ignore_errors=True)
        domain.channel.unlink(missing_ok=True)
        raise
    return Machine(
        hypervisor=hypervisor,
        identity=identity,
        folder=folder,
        domain=started,
        channel=channel,
        shape=domain.shape,
    )


def _load(machine: Machine, state: Path, timeout: float) -> None:
    """Feed the saved device state to a QEMU that waits for it, over a pipe that needs no path."""
    hypervisor, domain = machine.hypervisor, machine.domain
    capabilities = [{"capability": "x-ignore-shared", "state": True}]
    hypervisor.command(domain, "migrate-set-capabilities", capabilities=capabilities)
    with state.open("rb") as saved:
        hypervisor.command(domain, "getfd", files=(saved.fileno(),), fdname="state")
    hypervisor.command(domain, "migrate-incoming", uri="fd:state")
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = hypervisor.command(domain, "query-migrate").get("status")
        if status == "completed":
            return
        if status == "failed":
            raise MachineError("QEMU refused the saved state of the template")
        time.sleep(_LOAD_PAUSE)
    raise MachineError(f"QEMU did not load the template's state within {timeout:.0f} s")


def save(machine: Machine, state: Path, timeout: float) -> None:
    """Suspend `machine` and write its device state to `state`; its memory is already in its shared file."""
    hypervisor, domain = machine.hypervisor, machine.domain
    machine.domain.suspend()
    capabilities = [{"capability": "x-ignore-shared", "state": True}]
    hypervisor.command(domain, "migrate-set-capabilities", capabilities=capabilities)
    with state.open("wb") as file:
        hypervisor.command(domain, "getfd", files=(file.fileno(),), fdname="state")
        hypervisor.command(domain, "migrate", uri="fd:state")
        deadline = time.monotonic() + timeout
        while (status := hypervisor.command(domain, "query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                raise MachineError(f"QEMU did not save the template's state: {status}")
            time.sleep(_LOAD_PAUSE)
        os.fsync(file.fileno())


def _channel_path(hypervisor: Hypervisor, identity: str) -> Path:
    return hypervisor.root / "channels" / identity
