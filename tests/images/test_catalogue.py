"""The catalogue: what is written is read again, half an image is none, and a probe decides on interpreters."""

import dataclasses
import json
from pathlib import Path

import pytest
from tests.stored_image import store_image

from farm_images import catalogue
from farm_images.catalogue import Image, Interpreter
from farm_images.errors import ImageError


def _interpreter(path: str, python: str, implementation: str = "cpython") -> Interpreter:
    return Interpreter(
        path=path, version=f"{python}.0", python=python, implementation=implementation, provider="pyenv"
    )


def _image(root: Path, *, name: str = "debian-12", digest: str = "d1", baked: float = 1.0) -> Image:
    return store_image(
        root,
        name=name,
        digest=digest,
        command_line="root=/dev/vda",
        interpreters=(_interpreter("/a", "3.12"), _interpreter("/b", "3.12"), _interpreter("/c", "2.7")),
        probed=False,
        packages=(("git", "1:2.39"), ("tox/tox", "4.67.13")),
        baked=baked,
    )


def test_image_survives_its_file(tmp_path: Path) -> None:
    """An image read from its folder equals the one that was written, and its description is read-only."""
    image = _image(tmp_path)
    assert catalogue.read_image(image.folder) == image
    assert (image.folder / "image.json").stat().st_mode & 0o777 == 0o444


def test_newest_of_a_name(tmp_path: Path) -> None:
    """The newest image of a name is the one that was baked last; bakes that did not end do not count."""
    _image(tmp_path, digest="old", baked=1.0)
    newer = _image(tmp_path, digest="new", baked=2.0)
    _image(tmp_path, digest=".bake-x", baked=3.0)
    _image(tmp_path, name="debian-13", digest="other", baked=4.0)
    assert catalogue.newest(tmp_path, "debian-12") == newer
    assert catalogue.newest(tmp_path, "debian-11") is None
    assert [image.digest for image in catalogue.images(tmp_path)] == ["other", "new", "old"]


@pytest.mark.parametrize("broken", ["not json", "[]", "{}", '{"format": 99}'])
def test_unreadable_descriptions_say_what_to_do(tmp_path: Path, broken: str) -> None:
    """A folder whose description is not understood is an error that tells to remove it and bake again."""
    image = _image(tmp_path)
    (image.folder / "image.json").unlink()
    (image.folder / "image.json").write_text(broken, encoding="utf-8")
    with pytest.raises(ImageError, match="bake again"):
        catalogue.read_image(image.folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    """An image without its kernel is an error that names the file."""
    image = _image(tmp_path)
    image.kernel.unlink()
    with pytest.raises(ImageError, match="lacks vmlinuz"):
        catalogue.read_image(image.folder)


def test_probe_decides_on_interpreters(tmp_path: Path) -> None:
    """After the probe only interpreters that work stay, one per X.Y, with the version and tags of the guest."""
    image = _image(tmp_path)
    results = [
        {"path": "/b", "version": "3.12.7", "implementation": "CPython", "tags": ["cp312"], "works": True},
        {"path": "/a", "version": "3.12.1", "implementation": "cpython", "tags": ["cp312"], "works": True},
        {"path": "/c", "version": "2.7.18", "works": False, "reason": "no ssl"},
        {"path": "/stray", "version": "3.9.1", "works": True},
    ]
    probed = catalogue.with_interpreters(image, results)
    kept = dataclasses.replace(_interpreter("/a", "3.12"), version="3.12.1", tags=("cp312",))
    assert probed.interpreters == (kept,)
    assert probed.probed
    assert catalogue.read_image(image.folder) == probed


def test_description_holds_plain_words(tmp_path: Path) -> None:
    """The file names packages with their versions and does not repeat where it lies."""
    document = json.loads((_image(tmp_path).folder / "image.json").read_text(encoding="utf-8"))
    assert document["packages"]["tox/tox"] == "4.67.13"
    assert "folder" not in document
