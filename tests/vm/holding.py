"""A home with a running holder and index proxy for the machine tests, and what they ask of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from farm_images.catalogue import Image
from farm_scheduler.settings import Settings
from farm_workers.leases import LeaseRequest


def until(true: Callable[[], bool], *, seconds: float) -> None:
    """Wait until `true()`; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.1)


def qemu_processes(home: Path) -> list[Path]:
    """The /proc folders of the living QEMU processes of machines in `home` (a zombie has no command line)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it ended while we looked
        if b"qemu-system" in words.split(b"\0")[0] and f"{home}/machines/".encode() in words:
            found.append(process)
    return found


@dataclass(kw_only=True)
class HeldHome:
    """A farm's home whose holder and index proxy run until `stop`."""

    home: Path
    image: Image
    process: subprocess.Popen[bytes] = field(init=False)
    index: subprocess.Popen[bytes] = field(init=False)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of this home."""
        return {**os.environ, "WHEELFARM_HOME": str(self.home)}

    @property
    def settings(self) -> Settings:
        """The settings of this home."""
        return Settings(home=self.home)

    @property
    def socket(self) -> Path:
        """Where the holder answers."""
        return self.settings.holder_socket

    def request(self, *, warm: bool = False) -> LeaseRequest:
        """A lease of a small machine of the image."""
        return LeaseRequest.of(self.image, memory_mib=768, vcpus=1, warm=warm)

    def start(self) -> None:
        """Start both processes and wait until they answer."""
        self.index = self._process("farm_workers.index_proxy", self.settings.index_socket)
        self.start_holder()

    def start_holder(self) -> None:
        """Start the holder alone."""
        self.process = self._process("farm_workers.holder", self.socket)

    def restart_index(self) -> None:
        """Kill the index proxy and start another."""
        self.index.kill()
        self.index.wait(timeout=10)
        self.index = self._process("farm_workers.index_proxy", self.settings.index_socket)

    def stop(self) -> None:
        """End both in order."""
        for process in (self.process, self.index):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=30)

    def _process(self, module: str, socket: Path) -> subprocess.Popen[bytes]:
        socket.parent.mkdir(parents=True, exist_ok=True)
        socket.unlink(missing_ok=True)
        log = (self.home / f"{module}.log").open("ab")
        with log:
            process = subprocess.Popen(
                [sys.executable, "-m", module], env=self.environment, stdout=log, stderr=log
            )
        until(socket.exists, seconds=30)
        return process
