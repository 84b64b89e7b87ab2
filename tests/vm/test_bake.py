"""Real bakes: what comes out, and that nothing is left of one that did not end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from farm_images import catalogue
from farm_images.bake import bake
from farm_images.catalogue import Image
from farm_images.errors import ImageError
from farm_images.providers import Providers
from farm_images.recipes import load_recipe

RECIPE = load_recipe("debian-12")
UNPACKING = "unpacking the essential system"
BAKER = """
import sys
from pathlib import Path
from farm_images.bake import bake
from farm_images.providers import Providers
from farm_images.recipes import load_recipe
say = lambda percent, sentence: print(sentence, flush=True)
bake(load_recipe("debian-12"), images=Path(sys.argv[1]), providers=Providers(), progress=say)
"""


def test_image_is_whole_and_immutable(image: Image) -> None:
    """The image's id is the digest of its disk; everyone may read its files and nobody write them."""
    assert image.folder.name == image.digest == catalogue.digest_of(image.disk)
    modes = {path.name: path.stat().st_mode & 0o777 for path in image.folder.iterdir()}
    assert modes == dict.fromkeys(("disk.qcow2", "image.json", "initrd.img", "vmlinuz"), 0o444)
    command = ["qemu-img", "info", "--output=json", str(image.disk)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
    assert (told["format"], told["virtual-size"]) == ("qcow2", RECIPE.size_gib << 30)
    assert "backing-filename" not in told


def test_image_tells_what_is_in_it(image: Image) -> None:
    """The image names its Debian packages and tools with their versions, and its Pythons with their origin."""
    packages = dict(image.packages)
    assert {"git", "gcc", "python3", "tox/tox", "tox3/tox"} <= packages.keys()
    assert any(name.startswith("linux-image-6.") for name in packages)
    assert image.interpreters[0].path == "/usr/bin/python3.11"
    assert image.interpreters[0].provider == "distribution"


def test_unchanged_image_is_not_baked_again(image: Image, pyenv_root: Path | None) -> None:
    """A second bake of the same recipe gives the same image at once."""
    begun = time.monotonic()
    again = bake(RECIPE, images=image.folder.parent.parent, providers=Providers(pyenv_root=pyenv_root))
    assert again.digest == image.digest
    assert time.monotonic() - begun < 5


def test_stopped_bake_leaves_nothing(tmp_path: Path) -> None:
    """A bake that is told to stop ends with an error that says so, and leaves only its lock file."""
    stop = threading.Event()

    def say(_percent: int, sentence: str) -> None:
        if sentence == UNPACKING:
            stop.set()

    with pytest.raises(ImageError, match="was stopped"):
        bake(RECIPE, images=tmp_path, providers=Providers(), progress=say, stop=stop)
    assert _left(tmp_path) == [".lock"]


def test_next_bake_cleans_up_after_a_killed_one(tmp_path: Path) -> None:
    """After a kill -9 mmdebstrap ends by itself, and the next bake removes the work that was left."""
    command = [sys.executable, "-c", BAKER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as baker:
        assert baker.stdout
        for line in baker.stdout:
            if line.strip() == UNPACKING:
                baker.send_signal(signal.SIGKILL)
    stop = threading.Event()

    def say(_percent: int, sentence: str) -> None:
        if not sentence.startswith("waiting"):
            stop.set()

    with pytest.raises(ImageError, match="was stopped"):
        bake(RECIPE, images=tmp_path, providers=Providers(), progress=say, stop=stop)
    assert _left(tmp_path) == [".lock"]
    assert _still_running(tmp_path) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text(encoding="utf-8")


def _left(images: Path) -> list[str]:
    return sorted(path.name for path in (images / RECIPE.name).iterdir())


def _still_running(images: Path) -> list[str]:
    """The command lines of processes, but this one, that name the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended while we looked
        if str(images) in line and process.name != str(os.getpid()):
            found.append(line)
    return found
