"""Fills a cache of uv with what is popular on the index, as a machine would: `python -m farm_workers.package_fill`.

Called by image_bake after a bake, as a process of its own: it enters a network namespace in which the index proxy
answers at the address that guests know, because uv keeps what it fetched by that address. Wheels only: nothing of a
package is run, and nothing but the cache is written.
"""

import argparse
import ctypes
import fcntl
import logging
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from farm_images.emulator import INDEX_PORT
from farm_images.errors import ImageError
from farm_images.guest_configuration import INDEX_HOST, UV_SETTINGS

POPULAR = (
    *("pytest", "pytest-cov", "pytest-mock", "pytest-xdist", "pytest-asyncio", "pytest-timeout"),
    *("coverage", "hypothesis", "setuptools", "wheel", "setuptools-scm", "hatchling", "hatch-vcs"),
    *("flit-core", "poetry-core", "attrs", "typing-extensions"),
)
"""What the tests and the builds of many projects ask for."""

OLDEST = (3, 8)
"""uv installs in the guest from this Python on."""

TIED = ("setpriv", "--pdeathsig", "KILL", "--")
"""In front of a command: it dies with whoever started it (prctl(2))."""

LOG = logging.getLogger(__name__)

_SECONDS = 120
_ALL_SECONDS = 900
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_SIOCSIFFLAGS, _SIOCSIFADDR = 0x8914, 0x8916


def fill_packages(index: Path, cache: Path, pythons: Sequence[str], stop: threading.Event) -> None:
    """Fill the cache in a process of its own, which ends with this one or when `stop` is set.

    `index` is the control socket of the index proxy; `pythons` are X.Y.

    Raises:
        ImageError: nothing could be fetched, or it was stopped.
    """
    command = [*TIED, sys.executable, "-m", "farm_workers.package_fill"]
    command += ["--index", str(index), "--cache", str(cache), *pythons]
    deadline = time.monotonic() + _ALL_SECONDS
    with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        while process.poll() is None:
            if stop.wait(0.1) or time.monotonic() > deadline:
                process.kill()
        if process.returncode != 0:
            said.seek(0)
            text = said.read().decode(errors="replace").strip()[-500:]
            raise ImageError(f"nothing was fetched for the package disk ({text or process.returncode})")


def main() -> int:
    """Fill the cache; 1 when nothing could be fetched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True, help="the control socket of the index proxy")
    parser.add_argument("--cache", type=Path, required=True, help="the folder to fill")
    parser.add_argument("pythons", nargs="+", metavar="X.Y")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    control = socket.socket(socket.AF_UNIX)
    control.connect(str(options.index))
    _enter_namespace()
    with socket.socket() as listener:
        listener.bind((INDEX_HOST, INDEX_PORT))
        listener.listen(64)
        socket.send_fds(control, [b'{"machine": "package-fill"}\n'], [listener.fileno()])
    filled = [python for python in options.pythons if _fill(options.cache, python)]
    LOG.info("filled for %s", ", ".join(filled) or "no Python")
    return 0 if filled else 1


def _enter_namespace() -> None:
    """A network of its own, whose only address is that of the proxy; without root by a user namespace."""
    uid, gid = os.geteuid(), os.getegid()
    spaces = _CLONE_NEWNET if uid == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(spaces) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace for the package disk")
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        address = struct.pack("16sHH4s8x", b"lo", socket.AF_INET, 0, socket.inet_aton(INDEX_HOST))
        fcntl.ioctl(probe, _SIOCSIFADDR, address)
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", 0x41))  # IFF_UP | IFF_RUNNING


def _fill(cache: Path, python: str) -> bool:
    """All at once, and one by one when that fails: some need a newer Python."""
    return _install(cache, python, POPULAR) or sum(_install(cache, python, (name,)) for name in POPULAR) > 0


def _install(cache: Path, python: str, names: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="wheelfarm-fill-") as folder:
        settings = Path(folder) / "uv.toml"
        settings.write_text(UV_SETTINGS, encoding="utf-8")
        command = [*TIED, sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-sources"]
        command += ["--config-file", str(settings), "--cache-dir", str(cache), "--target", f"{folder}/site"]
        command += ["--only-binary", ":all:", "--link-mode", "copy", "--python-version", python]
        command += ["--python-platform", "x86_64-unknown-linux-gnu", *names]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
        try:
            return subprocess.run(command, timeout=_SECONDS, check=False, env=environment).returncode == 0
        except subprocess.TimeoutExpired:
            LOG.warning("Python %s: %s took over %d s", python, ", ".join(names), _SECONDS)
            return False


if __name__ == "__main__":
    sys.exit(main())
