"""What `wheelfarm doctor` looks at, one question a function: is this machine fit for the farm, and what to do if not.

Called by doctor. A check changes nothing that stays, has a time limit, and never raises.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from farm_cli.children import redis
from farm_cli.probes import redis_answers
from farm_scheduler.settings import Settings

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "mkfs.ext4": "e2fsprogs",
    "mount": "mount",
    "redis-server": "redis-server",
    "git": "git",
}
"""Programs and the Debian packages that bring them."""

DRIVER = "libvirt/connection-driver/libvirt_driver_qemu.so"
DRIVER_FOLDERS = (Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib64"), Path("/usr/lib"))
OLDEST_PYTHON = (3, 11)
GIB = 1024**3
DISK_FAIL, DISK_WARN = 4 * GIB, 12 * GIB
PROBE_SECONDS = 15


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor: what was looked at, what was seen, and what to do."""

    name: str
    level: Level
    seen: str
    advice: str = ""


def host_checks(settings: Settings) -> Iterator[Finding]:
    """Every check that needs no record, in the order in which they matter."""
    yield check_packages()
    yield check_python()
    yield check_user(settings)
    yield check_kvm()
    yield check_disk(settings)
    yield check_memory(settings)
    yield check_namespaces()
    yield check_redis()
    yield check_index(settings)


def check_packages() -> Finding:
    """The programs and the driver of libvirt are there."""
    path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None]
    if not any((folder / DRIVER).exists() for folder in DRIVER_FOLDERS):
        missing.append("libvirt-daemon-driver-qemu")
    if missing:
        command = f"apt-get install --no-install-recommends {' '.join(missing)}"
        return Finding(
            name="packages", level=Level.FAIL, seen=f"missing: {', '.join(missing)}", advice=command
        )
    return Finding(name="packages", level=Level.OK, seen="all of them are there")


def check_python() -> Finding:
    """This Python, and the kind of machine."""
    seen = f"Python {platform.python_version()} on {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON or platform.machine() != "x86_64":
        return Finding(name="python", level=Level.FAIL, seen=seen, advice="use Debian 12 or newer on x86_64")
    return Finding(name="python", level=Level.OK, seen=seen)


def check_user(settings: Settings) -> Finding:
    """As root, QEMU gets a user of its own; without root it runs as the person."""
    import pwd

    if os.getuid() != 0:
        return Finding(
            name="qemu user", level=Level.OK, seen="machines run as you (no root, no user of their own)"
        )
    try:
        entry = pwd.getpwnam(settings.qemu_user)
    except KeyError:
        seen = f"there is no user {settings.qemu_user}"
        return Finding(name="qemu user", level=Level.FAIL, seen=seen, advice="start ./farm once as root")
    return Finding(name="qemu user", level=Level.OK, seen=f"{settings.qemu_user} ({entry.pw_uid})")


def check_kvm() -> Finding:
    """The device is there and opens; whether an image boots under it is known after the first run."""
    device = Path("/dev/kvm")
    slow = "machines run under software emulation, several times slower"
    if not device.exists():
        return Finding(name="kvm", level=Level.WARN, seen="/dev/kvm is not there", advice=slow)
    if not os.access(device, os.R_OK | os.W_OK):
        advice = f"{slow}; add yourself to the group kvm"
        return Finding(name="kvm", level=Level.WARN, seen="/dev/kvm may not be opened", advice=advice)
    return Finding(
        name="kvm", level=Level.OK, seen="/dev/kvm opens; an image is tried on it once, at its first run"
    )


def check_disk(settings: Settings) -> Finding:
    """Room below the home."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    level = Level.FAIL if free < DISK_FAIL else Level.WARN if free < DISK_WARN else Level.OK
    advice = (
        "" if level is Level.OK else f"free {DISK_WARN // GIB} GiB, or set WHEELFARM_HOME to another disk"
    )
    seen = f"{free / GIB:.1f} GiB free below {settings.home}"
    if not os.access(folder, os.W_OK):
        level, advice = Level.FAIL, f"{folder} cannot be written: set WHEELFARM_HOME"
    return Finding(name="disk", level=level, seen=seen, advice=advice)


def check_memory(settings: Settings) -> Finding:
    """Memory for as many machines as there are slots."""
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(lines["MemAvailable"].split()[0]) * 1024
    wanted = (settings.slots * settings.memory_mib + 512) * 1024**2
    seen = f"{available / GIB:.1f} GiB available, {settings.slots} machines of {settings.memory_mib} MiB at a time"
    if available < wanted:
        advice = "set WHEELFARM_SLOTS or WHEELFARM_MEMORY_MIB lower"
        return Finding(name="memory", level=Level.WARN, seen=seen, advice=advice)
    return Finding(name="memory", level=Level.OK, seen=seen)


def check_namespaces() -> Finding:
    """A machine is shut into namespaces of its own, which this user must be able to make."""
    argv = ["unshare", "--net", "true"] if os.getuid() == 0 else ["unshare", "-rn", "true"]
    try:
        subprocess.run(argv, capture_output=True, timeout=PROBE_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        advice = (
            "allow them: sysctl kernel.unprivileged_userns_clone=1 (in a container: run it with the right to)"
        )
        return Finding(name="namespaces", level=Level.FAIL, seen=f"cannot be made: {error}", advice=advice)
    return Finding(name="namespaces", level=Level.OK, seen="can be made")


def check_redis() -> Finding:
    """A private Redis starts and answers."""
    with tempfile.TemporaryDirectory(prefix="wheelfarm-") as folder:
        plan = redis(Settings(home=Path(folder)))
        (Path(folder) / "run").mkdir()
        try:
            process = subprocess.Popen(
                plan.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            seen = f"does not start: {error.strerror}"
            return Finding(name="redis", level=Level.FAIL, seen=seen, advice="apt-get install redis-server")
        try:
            up = _soon(lambda: redis_answers(Settings(home=Path(folder)).redis_socket))
        finally:
            process.kill()
            process.wait(timeout=PROBE_SECONDS)
    if up:
        return Finding(name="redis", level=Level.OK, seen="starts and answers on a unix socket")
    return Finding(
        name="redis", level=Level.FAIL, seen="starts but does not answer", advice="run redis-server by hand"
    )


def check_index(settings: Settings) -> Finding:
    """The package index answers."""
    url = settings.index_url.rstrip("/") + "/pip/"
    accept = {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.5"}
    try:
        request = urllib.request.Request(url, headers=accept)  # noqa: S310 - the operator's own setting
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS) as answer:  # noqa: S310 - the operator's own setting
            seen = f"{settings.index_url} answers ({answer.status})"
            return Finding(name="index", level=Level.OK, seen=seen)
    except (urllib.error.URLError, OSError, ValueError) as error:
        seen = f"{settings.index_url} does not answer: {getattr(error, 'reason', error)}"
        advice = "check the network, or set WHEELFARM_INDEX_URL"
        return Finding(name="index", level=Level.FAIL, seen=seen, advice=advice)


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
