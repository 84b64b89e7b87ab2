"""The hypervisor of this host: libvirt's QEMU driver inside this process, and the machines it knows.

Called by the holder only (one process per libvirt folder). It keeps no templates and no leases.
libvirt is not fork-safe: a process that opened a Hypervisor never forks without exec.
"""

import contextlib
import json
import os
import pwd
import resource
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import libvirt
import libvirt_qemu

from farm_images import emulator
from farm_images.errors import MachineError

PREFIX = "wheelfarm-"
_CONFIGURATION = """stdio_handler = "file"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
max_core = 0
"""


class Hypervisor:
    """libvirt in embed mode under `root`; QEMU is started through the farm's own emulator program.

    Args:
        root: libvirt's folder; its path is short, for libvirt makes sockets of it (sun_path: 108 bytes).
        home: the farm's folder.
        user: the name of QEMU's user when this process is root; ignored otherwise.

    Raises:
        MachineError: libvirt or QEMU is missing, or the user does not exist.
    """

    def __init__(self, *, root: Path, home: Path, user: str) -> None:
        self.root = root
        self.home = home
        self.user = _numbers(user) if os.geteuid() == 0 else ""
        (root / "etc").mkdir(parents=True, exist_ok=True)
        as_root = 'user = "root"\ngroup = "root"\n' if os.geteuid() == 0 else ""
        (root / "etc" / "qemu.conf").write_text(_CONFIGURATION + as_root, encoding="utf-8")
        python = "/usr/bin/python3"
        self.emulator = Path(emulator.install(str(root / "emulator"), python))
        self.qemu_version = _qemu_version()
        self._connection = self._open()

    def _open(self) -> libvirt.virConnect:
        # libvirt closes every possible file descriptor in each child: a large limit costs 0.1 s a machine.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
        libvirt.registerErrorHandler(_quiet, None)
        libvirt.virEventRegisterDefaultImpl()
        self._stopping = threading.Event()
        threading.Thread(target=self._events, name="libvirt-events", daemon=True).start()
        try:
            return libvirt.open(f"qemu:///embed?root={self.root}")
        except libvirt.libvirtError as error:
            raise MachineError(
                f"libvirt's QEMU driver does not start: {error}. Run `wheelfarm doctor`.", root=str(self.root)
            ) from error

    def _events(self) -> None:
        while not self._stopping.is_set():
            libvirt.virEventRunDefaultImpl()

    @property
    def machine_type(self) -> str:
        """QEMU's versioned machine type: templates of one QEMU are never restored in another."""
        return "pc-i440fx-" + ".".join(self.qemu_version.split(".")[:2])

    def start(self, xml: str, *, paused: bool) -> libvirt.virDomain:
        """Create a transient domain from `xml`; raises MachineError with QEMU's own words."""
        try:
            return self._connection.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)
        except libvirt.libvirtError as error:
            raise MachineError(f"the machine did not start: {error}") from error

    def command(
        self, domain: libvirt.virDomain, name: str, *, files: tuple[int, ...] = (), **arguments: object
    ) -> Any:
        """Run one QMP command on `domain`, passing open `files`; returns its `return` value."""
        request = json.dumps({"execute": name, "arguments": arguments} if arguments else {"execute": name})
        try:
            if files:
                answer = libvirt_qemu.qemuMonitorCommandWithFiles(domain, request, list(files))[0]
            else:
                answer = libvirt_qemu.qemuMonitorCommand(domain, request, 0)
        except libvirt.libvirtError as error:
            raise MachineError(f"QEMU does not answer {name}: {error}", command=name) from error
        document = json.loads(answer)
        if "error" in document:
            raise MachineError(f"QEMU refused {name}: {document['error'].get('desc')}", command=name)
        return document["return"]

    def destroy(self, domain: libvirt.virDomain) -> None:
        """End the domain at once; one that is already gone is no error."""
        with contextlib.suppress(libvirt.libvirtError):
            domain.destroy()

    def reap(self) -> int:
        """Destroy every machine that an earlier owner of this folder left; returns how many there were."""
        left = self._connection.listAllDomains()
        for domain in left:
            self.destroy(domain)
        return len(left) + _kill_strays(self.home)

    def close(self) -> None:
        """Close the connection; every machine must be gone by then."""
        self._stopping.set()
        with contextlib.suppress(libvirt.libvirtError):
            self._connection.close()


def _quiet(_context: object, _error: object) -> None:
    """Libvirt prints each error on standard error by itself; the farm raises it instead."""


def _numbers(user: str) -> str:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise MachineError(
            f"there is no user {user!r} for QEMU to run as: start the farm with ./farm, which makes it.",
            user=user,
        ) from None
    return f"{entry.pw_uid}:{entry.pw_gid}"


def _qemu_version() -> str:
    if shutil.which(emulator.QEMU) is None:
        raise MachineError("QEMU is not installed: start the farm with ./farm, which installs it.")
    answer = subprocess.run(
        [emulator.QEMU, "--version"], capture_output=True, text=True, timeout=20, check=True
    )
    return answer.stdout.split("version ", 1)[1].split()[0]


def _kill_strays(home: Path) -> int:
    """Kill QEMU processes of this home that libvirt has forgotten (its state was lost); returns how many."""
    killed = 0
    machines = f"{home}/machines/".encode()
    templates = f"{home}/templates/".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # it ended while we looked
        if not words[0].endswith(b"qemu-system-x86_64"):
            continue
        if any(machines in word or templates in word for word in words):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)
                killed += 1
    if killed:
        time.sleep(0.2)
    return killed
