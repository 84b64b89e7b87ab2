"""An image in a catalogue for tests that boot none: its files are there, and empty."""

from pathlib import Path
from typing import Any

from farm_images import catalogue
from farm_images.catalogue import Image


def store_image(images: Path, **facts: Any) -> Image:
    """Put an image in the catalogue `images`; `facts` are its fields that matter to the test."""
    some: dict[str, Any] = {
        "name": "debian-12",
        "digest": "d1",
        "key": "k",
        "command_line": "",
        "probed": True,
    }
    some |= {"interpreters": (), "packages": (), "baked": 1.0} | facts
    image = Image(folder=images / some["name"] / some["digest"], **some)
    image.folder.mkdir(parents=True)
    for path in (image.disk, image.kernel, image.initrd):
        path.touch()
    catalogue.write_description(image)
    return image
