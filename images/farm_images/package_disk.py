"""The package disk of an image: what is popular on the index, as a cache of uv, on a disk that all its machines read.

Called by the worker after a bake, with a cache that uv filled. It knows nothing of indexes; a machine without the disk
does the same, only slower. In the guest the agent lays it under the job's own cache (`agent/package_cache.py`).
"""

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

from farm_images.catalogue import PACKAGES, Image, digest_of, write_description
from farm_images.errors import ImageError

CACHE = "uv"
"""The folder of the cache on the disk."""

_SECONDS = 300
_SPARE_BYTES = 8 << 20
_BLOCK = 4096


def add_package_disk(image: Image, tree: Path) -> Image:
    """The image with a disk of this folder, which holds the cache as `uv`; an image that has a disk keeps it.

    The files are changed for the guest.

    Raises:
        ImageError: the disk could not be made; the image is as it was.
    """
    if image.packages_digest:
        return image
    _make_readable(tree / CACHE)
    with tempfile.TemporaryDirectory(prefix=".bake-packages-", dir=image.folder.parent) as work:
        disk = Path(work) / PACKAGES
        _make_disk(tree, disk)
        disk.chmod(0o444)
        digest = digest_of(disk)
        disk.rename(image.folder / PACKAGES)
    changed = dataclasses.replace(image, packages_digest=digest)
    write_description(changed)
    return changed


def _make_readable(cache: Path) -> None:
    """Let the job's user put files of its own beside those of the disk, and leave out what is of this host.

    The files belong to nobody that the guest knows, so it is the folders that are open to all. Locks are opened for
    writing, and facts about interpreters hold for one machine.
    """
    for path in [*cache.glob("interpreter-v*"), *cache.glob("builds-v*"), *cache.glob("sdists-v*")]:
        shutil.rmtree(path)
    for path in [cache, *cache.rglob("*")]:
        if path.is_symlink():
            continue
        if path.is_dir():
            path.chmod(0o777)
        elif path.name.endswith(".lock"):
            path.unlink()
        else:
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _make_disk(folder: Path, disk: Path) -> None:
    paths = list(folder.rglob("*"))
    # Each file ends within a block of its own; inodes and their tables come on top.
    size = sum(path.lstat().st_size + _BLOCK for path in paths) * 5 // 4 + _SPARE_BYTES
    command = ["mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "root_owner=0:0"]
    command += [
        "-N",
        str(len(paths) + 1024),
        "-L",
        "farm-packages",
        "-d",
        str(folder),
        str(disk),
        f"{size >> 10}k",
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.CalledProcessError as error:
        raise ImageError(
            f"mkfs.ext4 could not make the package disk: {error.stderr[-500:].strip()}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"the package disk could not be made: {error}") from error
