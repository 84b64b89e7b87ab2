"""What the machines of a home stand on: the disks of templates and images that their overlays name.

Called by whoever wants to remove an image or a template. Only the heads of the files are read, whoever runs the
machines; it never opens a disk as one and changes nothing.
"""

from pathlib import Path

from farm_images.errors import ImageError

MAGIC = b"QFI\xfb"
LONGEST_NAME = 1023
"""Bytes of the name of a backing file (QEMU's docs/interop/qcow2.txt)."""


def disks_in_use(home: Path) -> frozenset[Path]:
    """Every disk that a machine below this home stands on, directly or through others.

    Raises:
        ImageError: the disk of a machine cannot be read, so nobody can tell.
    """
    found: set[Path] = set()
    for disk in home.glob("machines/*/*.qcow2"):
        below = backing_file(disk)
        while below is not None and below not in found:
            found.add(below)
            below = backing_file(below)
    return frozenset(found)


def backing_file(disk: Path) -> Path | None:
    """The file that a qcow2 overlay stands on; None without one, or when the overlay has gone meanwhile.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        with disk.open("rb") as stream:
            head = stream.read(20)
            if head[:4] != MAGIC:
                return None
            place, length = int.from_bytes(head[8:16]), int.from_bytes(head[16:20])
            if not place or not 0 < length <= LONGEST_NAME:
                return None
            stream.seek(place)
            name = stream.read(length)
    except FileNotFoundError:
        return None
    except OSError as error:
        sentence = f"{disk} cannot be read ({error.strerror}), so what it stands on is not known; stop the farm first"
        raise ImageError(sentence, disk=str(disk)) from error
    return disk.parent / name.decode("utf-8", "surrogateescape")
