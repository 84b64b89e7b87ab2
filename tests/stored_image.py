"""Images for tests that boot none: one in a catalogue, whose files are there and empty, and one in the record."""

from pathlib import Path
from typing import Any

from farm_images import catalogue
from farm_images.catalogue import Image
from farm_scheduler import tables
from farm_scheduler.states import ImageState


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


def image_row(*versions: str, name: str = "debian-12", state: ImageState = ImageState.READY) -> tables.Image:
    """A row of the record: an image with these Pythons, as of now."""
    pythons = [{"version": each, "implementation": "cpython", "works": True, "path": ""} for each in versions]
    return tables.Image(name=name, state=state, digest="d", interpreters=pythons, updated=tables.now())
