"""The bake around mmdebstrap: its lock, its leftovers, its refusals; no network is needed here."""

import dataclasses
import fcntl
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.stored_image import store_image

from farm_images.bake import bake, check_space
from farm_images.bake_key import bake_key
from farm_images.errors import ImageError
from farm_images.interpreters import find_interpreters
from farm_images.providers import Providers
from farm_images.recipes import load_recipe

RECIPE = load_recipe("debian-12")
SECONDS = 20


def test_unchanged_recipe_is_not_baked_again(tmp_path: Path) -> None:
    """An image with the same key is given at once, without a step of progress."""
    said: list[str] = []
    image = store_image(tmp_path, key=bake_key(RECIPE, []))
    again = bake(RECIPE, images=tmp_path, providers=Providers(), progress=lambda _, text: said.append(text))
    assert (again, said) == (image, [])


def test_second_caller_waits_for_the_first(tmp_path: Path) -> None:
    """While somebody bakes, another caller waits and then gets what the first one made."""
    (tmp_path / RECIPE.name).mkdir()
    waiting = threading.Event()
    with ThreadPoolExecutor() as pool, (tmp_path / RECIPE.name / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = pool.submit(
            bake,
            RECIPE,
            images=tmp_path,
            providers=Providers(),
            progress=lambda _percent, _text: waiting.set(),
        )
        assert waiting.wait(SECONDS)
        image = store_image(tmp_path, key=bake_key(RECIPE, []))
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert second.result(SECONDS) == image


def test_waiting_can_be_stopped(tmp_path: Path) -> None:
    """A caller that waits for another bake ends with an error soon after it is told to stop."""
    (tmp_path / RECIPE.name).mkdir()
    stop = threading.Event()
    with (tmp_path / RECIPE.name / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ImageError, match="stopped while it waited"):
            bake(RECIPE, images=tmp_path, providers=Providers(), progress=lambda *_: stop.set(), stop=stop)


def test_full_disk_is_told_beforehand(tmp_path: Path) -> None:
    """Too little room is an error that says how much is needed, how much there is, and what to do."""
    with pytest.raises(ImageError, match=r"needs 1000000 GiB free in .* there are .* Make room") as refusal:
        check_space(tmp_path, 1_000_000)
    assert refusal.value.data["needed_gib"] == 1_000_000


def test_key_follows_recipe_and_interpreters(tmp_path: Path) -> None:
    """Another package, interpreter or mirror gives another key; the same inputs give the same, whatever they take."""
    folder = tmp_path / "versions/3.12.1/bin"
    folder.mkdir(parents=True)
    (folder / "python3.12").touch()
    keys = {
        bake_key(RECIPE, []),
        bake_key(dataclasses.replace(RECIPE, packages=("git",)), []),
        bake_key(RECIPE, find_interpreters(tmp_path)),
        bake_key(RECIPE, [], "/srv/mirror"),
    }
    assert len(keys) == 4
    assert bake_key(dataclasses.replace(RECIPE, bake_seconds=1), []) in keys
