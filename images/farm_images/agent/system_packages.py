"""The Debian packages that a project declares, installed before its environments: the step `farm:system-packages`.

Called by `job`, which starts nothing when it fails. The one part of a job that runs as root: apt itself, on names that
`wire` has checked, from the archive that the image was made of. apt checks the archive's signatures; the proxy on the
way is not trusted. Nothing of the project runs here.
"""

import os
import select
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import Final

from farm_images.agent.channel import HIGH_WATER, Channel
from farm_images.agent.packets import TEXT, Packets
from farm_images.apt_sources import host_sources
from farm_images.wire import ID_ERROR, ID_PACKAGES, ID_TOX, PROXY_URL

_READ_BYTES = 1 << 16
_TURN_SECONDS = 0.5
_END_SECONDS = 30.0
_TAIL_LINES = 200
_REASON_CHARACTERS = 2000
_NOT_FETCHED = "Failed to fetch"
"""In apt's words: the archive or the way to it is at fault, and not the project."""

_KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
OPTIONS: Final = {
    "Acquire::CompressionTypes::Order::": "gz",  # xz takes longer to unpack than it saves
    "Acquire::Languages": "none",
    "Acquire::PDiffs": "false",
    "Acquire::Retries": "2",
    "APT::Cmd::Pattern-Only": "true",  # a name is a name and never a regular expression
    "APT::Get::Remove": "false",
    "APT::Install-Recommends": "false",
    "DPkg::Use-Pty": "false",
    "DPkg::Options::": "--force-unsafe-io",
    "Dir::Etc::SourceParts": "/dev/null",
}
"""What apt is told besides where its sources are."""

_VARIABLES: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


class SystemPackages:
    """The packages of one job. Afterwards `timed_out` says whether the time was over before they were there."""

    def __init__(
        self, channel: Channel, packets: Packets, *, root: Path, spool: Path, log_bytes: int
    ) -> None:
        self.timed_out = False
        self._channel = channel
        self._packets = packets
        self._root = root
        self._spool = spool
        self._left = log_bytes
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def install(self, names: tuple[str, ...], seconds: float) -> bool:
        """Whether they are all there now; if not, the host has been told why. Raises OSError, TimeoutExpired."""
        deadline = time.monotonic() + seconds
        self._packets.step(ID_PACKAGES, "inprogress")
        sources = self._spool / "debian.list"
        sources.write_text("".join(f"{line}\n" for line in archive_sources(self._root)))
        apt = ["apt-get", "--quiet", "--yes", "-o", f"Dir::Etc::SourceList={sources}"]
        apt += [part for name, value in OPTIONS.items() for part in ("-o", f"{name}={value}")]
        read = self._run([*apt, "update"], deadline)
        done = read and self._run([*apt, "install", "--", *names], deadline)
        reason = None if done else self._reason()
        if reason and not self.timed_out and (not read or _NOT_FETCHED in reason):
            text = f"the archive of system packages cannot be read: {reason}"
            self._packets.attach(ID_ERROR, "text", text.encode(errors="replace"), TEXT)
            self._packets.step(ID_ERROR, "fail")
        self._packets.step(ID_PACKAGES, "success" if done else "fail", reason=reason)
        return done

    def _run(self, argv: list[str], deadline: float) -> bool:
        """Whether the command ended well, in time; its output is the log's."""
        with subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_VARIABLES
        ) as process:
            self._follow(process, deadline)
            self.timed_out = time.monotonic() >= deadline
            if self.timed_out:
                process.kill()
            return process.wait(timeout=_END_SECONDS) == 0 and not self.timed_out

    def _follow(self, process: "subprocess.Popen[bytes]", deadline: float) -> None:
        """Take what it says until its end, or that of the time; what it leaves behind may hold its output open."""
        assert process.stdout is not None, "it was asked for"  # noqa: S101 (for the type checker)
        output = process.stdout.fileno()
        rest = b""
        while (left := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([output], [], [], min(left, _TURN_SECONDS))
            self._channel.flush()
            if not readable:
                if process.poll() is not None:
                    return
                continue
            data = os.read(output, _READ_BYTES)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-_READ_BYTES:]
            self._tail.extend(line.decode(errors="replace").strip() for line in lines)
            self._packets.attach(ID_TOX, "log", data[: self._left], TEXT, eof=False)
            self._left -= min(len(data), self._left)
            if self._channel.pending > HIGH_WATER:
                self._channel.drain(left)

    def _reason(self) -> str:
        """What apt complained of, in its own words."""
        said = [line.removeprefix("E: ") for line in self._tail if line.startswith("E: ")]
        return " ".join(said)[:_REASON_CHARACTERS] or "apt did not say why"


def archive_sources(root: Path) -> list[str]:
    """The lines of a sources.list: the suites that the image below `root` was made of, from the farm's proxy."""
    release = (root / "etc/os-release").read_text()
    suite = next(
        line.partition("=")[2].strip("\"'")
        for line in release.splitlines()
        if line.startswith("VERSION_CODENAME=")
    )
    found = [line.split()[2] for line in host_sources(suite, root / "etc/apt")]
    keys = [root / "usr/share/keyrings" / name for name in _KEYRINGS]
    signed = next((f"[signed-by={key}] " for key in keys if key.exists()), "")
    return [
        f"deb {signed}{PROXY_URL}/{'debian-security' if name.endswith('-security') else 'debian'} {name} main"
        for name in dict.fromkeys(found or [suite])
    ]
