"""A Debian 13 root with Pagure in it, made once per clone by mmdebstrap.

Debian 12 has no Pagure, and nobody who only runs the farm needs one: so it is installed in no host but in a folder
below `.setup`, which stays there for the next time. It takes about a minute, and Debian's package servers.
"""

import fcntl
import shutil
import subprocess
from pathlib import Path

from farm_images.apt_sources import host_sources

SUITE = "trixie"
PACKAGES = "pagure,redis-server,git"
SECONDS = 900.0
HOME = Path(__file__).resolve().parents[2] / ".setup"
OPTIONS = (
    "--variant=apt",
    "--format=tar",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
)


def pagure_root() -> Path:
    """The folder of the root; made now when it is not there.

    Its files belong to whoever made it, so that nobody need be root to use or remove it.

    Raises:
        RuntimeError: mmdebstrap made none; the end of its log is told.
    """
    folder = HOME / f"pagure-{SUITE}"
    HOME.mkdir(exist_ok=True)
    with (HOME / "pagure.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _make(folder)
    return folder


def _make(folder: Path) -> None:
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    log = HOME / "pagure.log"
    command = ["mmdebstrap", *OPTIONS, f"--include={PACKAGES}", SUITE, "-", *host_sources(SUITE)]
    unpack = ["tar", "-C", str(draft), "-x", "--no-same-owner", "--exclude=./dev/*"]
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sink) as made,
    ):
        try:
            subprocess.run(unpack, check=True, stdin=made.stdout, stderr=sink, timeout=SECONDS)
            code = made.wait(timeout=60)
        except subprocess.SubprocessError:
            code = 1
        finally:
            made.kill()
            made.wait(timeout=60)
    if code != 0:
        tail = log.read_text(errors="replace")[-1500:]
        raise RuntimeError(f"mmdebstrap made no root with Pagure; see {log}:\n{tail}")
    draft.rename(folder)
