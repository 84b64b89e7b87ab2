"""The package disk of the image, laid under uv's cache of the job's user.

Called by `main` when the agent starts, so that a template has it mounted. It never writes to the disk: what a job adds
lies in the machine's own file system, on top. A machine without the disk has an ordinary, empty cache.
"""

import subprocess
import sys
from pathlib import Path

from farm_images.agent.job_user import JobUser
from farm_images.agent.places import Places

DEVICE = Path("/dev/vdb")
_SECONDS = 30


def mount(places: Places, user: JobUser) -> None:
    """Mount it; a disk that cannot be mounted is told on the console, and the cache is empty then."""
    if not DEVICE.exists():
        return
    disk = places.run / "packages"
    own = places.spool / "packages"
    cache = places.home / ".cache/wheelfarm/uv"
    for folder in (disk, own / "upper", own / "work", cache):
        folder.mkdir(parents=True, exist_ok=True)
    for folder in (own / "upper", cache, cache.parent, cache.parent.parent):
        user.own(folder)
    layers = f"lowerdir={disk / 'uv'},upperdir={own / 'upper'},workdir={own / 'work'}"
    for command in (
        ["/sbin/modprobe", "overlay"],
        ["/bin/mount", "-t", "ext4", "-o", "ro,noatime", str(DEVICE), str(disk)],
        ["/bin/mount", "-t", "overlay", "-o", layers, "packages", str(cache)],
    ):
        try:
            subprocess.run(command, check=True, timeout=_SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"the package disk is left out: {error}\n")
            return
