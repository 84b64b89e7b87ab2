"""One real image for all machine tests of a run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_images.bake import bake
from farm_images.catalogue import Image
from farm_images.providers import Providers
from farm_images.recipes import load_recipe

from .holding import HeldHome, qemu_processes


@pytest.fixture(scope="session")
def test_home() -> Iterator[Path]:
    """The home of the run: `$WHEELFARM_TEST_HOME`, which is kept, or a new one that goes with the run."""
    given = os.environ.get("WHEELFARM_TEST_HOME")
    if given:
        home = Path(given).absolute()
        home.mkdir(parents=True, exist_ok=True)
        yield home
        return
    home = Path(tempfile.mkdtemp(prefix="wheelfarm-test-"))
    home.chmod(0o755)  # the user that machines run as reads the image
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="module")
def held(test_home: Path, image: Image) -> Iterator[HeldHome]:
    """A home of its own whose holder may be killed by tests, over the image of the run."""
    home = test_home / "held"
    home.mkdir(exist_ok=True)
    held = HeldHome(home=home, image=image)
    held.start()
    yield held
    held.stop()
    assert not qemu_processes(home)


@pytest.fixture(scope="session")
def pyenv_root() -> Path | None:
    """The pyenv tree of this host, if it has one."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return root if (root / "versions").is_dir() else None


@pytest.fixture(scope="session")
def image(test_home: Path, pyenv_root: Path | None) -> Image:
    """The image of debian-12: baked once, by whichever test asks first."""
    return bake(
        load_recipe("debian-12"),
        images=test_home / "images",
        providers=Providers(pyenv_root=pyenv_root),
        progress=lambda percent, sentence: print(f"bake: {percent:3d} % {sentence}", flush=True),
    )
