"""The package disk: a cache of uv on a file system of its own."""

import subprocess
from pathlib import Path

import pytest
from tests.stored_image import store_image

from farm_images.catalogue import Image, digest_of, read_image
from farm_images.errors import ImageError
from farm_images.package_disk import CACHE, add_package_disk


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image without a package disk."""
    return store_image(tmp_path / "images", probed=False)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a cache of uv in small: a wheel that was unpacked, the link to it, facts of this host, a lock."""
    folder = tmp_path / "tree" / CACHE
    (folder / "archive-v0/abc/six").mkdir(parents=True)
    (folder / "archive-v0/abc/six/__init__.py").write_text("VERSION = 1\n", encoding="utf-8")
    (folder / "wheels-v7/index").mkdir(parents=True)
    (folder / "wheels-v7/index/six").symlink_to("../../archive-v0/abc")
    (folder / "interpreter-v5/x").mkdir(parents=True)
    (folder / "wheels-v7/six.lock").touch()
    return folder.parent


def asked(disk: Path, request: str) -> str:
    """What debugfs says of a file system."""
    command = ["debugfs", "-R", request, str(disk)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_cache_is_on_the_disk(image: Image, tree: Path) -> None:
    """Files and links are there, folders are open to the job's user, and nothing of this host or locked is."""
    made = add_package_disk(image, tree)
    assert made.packages_disk is not None
    assert made.packages_digest == digest_of(made.packages_disk)
    assert read_image(image.folder) == made
    assert "VERSION = 1" in asked(made.packages_disk, "cat /uv/archive-v0/abc/six/__init__.py")
    assert 'Fast link dest: "../../archive-v0/abc"' in asked(
        made.packages_disk, "stat /uv/wheels-v7/index/six"
    )
    assert "Mode:  0777" in asked(made.packages_disk, "stat /uv/archive-v0/abc")
    assert "interpreter-v5" not in asked(made.packages_disk, "ls /uv")
    assert "six.lock" not in asked(made.packages_disk, "ls /uv/wheels-v7")


def test_a_disk_is_never_exchanged(image: Image, tree: Path) -> None:
    """An image that has a package disk keeps it: templates stand on it."""
    made = add_package_disk(image, tree)
    assert add_package_disk(made, tree) is made


def test_an_image_whose_disk_is_gone_is_no_image(image: Image, tree: Path) -> None:
    """The description names a package disk, so it must be there."""
    made = add_package_disk(image, tree)
    assert made.packages_disk is not None
    made.packages_disk.unlink()
    with pytest.raises(ImageError, match=r"packages\.ext4"):
        read_image(image.folder)
