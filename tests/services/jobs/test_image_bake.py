"""The bake of an image as a task: found or made, probed by the real agent, told in the record."""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from tests.services.jobs.conftest import AgentMachines
from tests.stored_image import store_image

from farm_images import catalogue
from farm_images.bake import bake_key
from farm_images.recipes import load_recipe
from farm_scheduler.access_tables import AuditEntry
from farm_scheduler.database import Database
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image, now
from farm_workers.image_bake import STALE, ImageBake
from farm_workers.leases import LeaseError

NOTHING = "/nonexistent/python3.99"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Without a pyenv tree: the image is what the tests put there."""
    return settings.model_copy(update={"pyenv_root": None})


def add_image(settings: Settings) -> None:
    """An image that the bake finds ready, with one Python that works and one that does not."""
    pythons = tuple(
        catalogue.Interpreter(
            path=path, version=f"{python}.0", python=python, implementation="cpython", provider="x"
        )
        for path, python in ((sys.executable, "3.11"), (NOTHING, "3.99"))
    )
    key = bake_key(load_recipe("debian-12"), [])
    store_image(
        settings.images, digest="1" * 64, key=key, interpreters=pythons, probed=False, baked=time.time()
    )


def bake(settings: Settings, database: Database, machines: Any) -> tuple[bool, Image]:
    """Run the bake; whether it was ours, and the row afterwards."""
    task = ImageBake(
        "debian-12", settings=settings, database=database, machines=machines, stop=threading.Event()
    )
    mine = task.run()
    with database.read() as session:
        row = session.get(Image, "debian-12")
    assert row is not None
    return mine, row


def test_an_image_is_probed_and_ready(settings: Settings, database: Database) -> None:
    """Every interpreter was started; the record has those that work and why others do not."""
    add_image(settings)
    mine, row = bake(settings, database, AgentMachines())
    assert mine
    assert (row.state, row.progress, row.digest, row.note) == (ImageState.READY, 100, "1" * 64, "")
    found = {entry["path"]: entry for entry in row.interpreters}
    assert found[sys.executable]["works"] is True
    assert (found[sys.executable]["provider"], found[sys.executable]["threaded"]) == ("x", False)
    assert (found[NOTHING]["version"], row.left_seconds) == ("3.99.0", None)
    assert found[sys.executable]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found[NOTHING]["works"] is False
    assert "cannot be started" in found[NOTHING]["reason"]
    image = catalogue.newest(settings.images, "debian-12")
    assert image is not None
    assert image.probed
    assert [each.path for each in image.interpreters] == [sys.executable]


def test_a_bake_tells_about_how_long_it_takes(settings: Settings, database: Database) -> None:
    """The record has an estimate while an image is made and probed."""
    add_image(settings)
    seen: list[float | None] = []

    def machines(image: catalogue.Image, progress: Any) -> Any:
        with database.read() as session:
            row = session.get(Image, "debian-12")
        assert row is not None
        seen.append(row.left_seconds)
        return AgentMachines()(image, progress)

    bake(settings, database, machines)
    (left,) = seen
    assert left is not None
    assert 1 < left < load_recipe("debian-12").bake_seconds


def test_a_probed_image_is_ready_at_once(settings: Settings, database: Database) -> None:
    """An image that was probed before needs no machine, and what did not work stays known."""
    add_image(settings)
    _, first = bake(settings, database, AgentMachines())

    def none(*_: object) -> Any:
        pytest.fail("no machine is needed")

    _, again = bake(settings, database, none)
    assert again.state is ImageState.READY
    assert again.interpreters == first.interpreters
    with database.read() as session:
        (noted,) = session.exec(select(AuditEntry))
    assert (noted.actor, noted.action, noted.subject) == ("farm", "image.bake", "debian-12")
    assert noted.details == {"digest": "1" * 64}


def test_a_look_makes_nothing(settings: Settings, database: Database) -> None:
    """An image that nobody wants now is ready if it is there, and else stays missing."""

    def none(*_: object) -> Any:
        pytest.fail("no machine is needed")

    def look() -> ImageState:
        task = ImageBake(
            "debian-12", settings=settings, database=database, machines=none, stop=threading.Event()
        )
        assert task.run(look_only=True)
        with database.read() as session:
            return session.get_one(Image, "debian-12").state

    assert look() is ImageState.MISSING
    assert list(settings.images.glob("*/.bake-*")) == []
    add_image(settings)
    bake(settings, database, AgentMachines())
    assert look() is ImageState.READY


def test_no_machine_is_told(settings: Settings, database: Database) -> None:
    """A bake that fails leaves its sentence, and the next one may try again."""
    add_image(settings)

    def none(*_: object) -> Any:
        raise LeaseError("the holder is away")

    _, row = bake(settings, database, none)
    assert (row.state, row.note) == (ImageState.FAILED, "the holder is away")
    _, row = bake(settings, database, AgentMachines())
    assert row.state is ImageState.READY


def test_two_bakes_of_one_image_are_one(settings: Settings, database: Database) -> None:
    """A bake that is at work is left alone; one that died is taken over."""
    add_image(settings)
    with database.write() as session:
        session.add(Image(name="debian-12", state=ImageState.BAKING, updated=now()))
    mine, row = bake(settings, database, AgentMachines())
    assert not mine
    assert row.state is ImageState.BAKING
    with database.write() as session:
        session.merge(Image(name="debian-12", state=ImageState.BAKING, updated=now() - 2 * STALE))
    mine, row = bake(settings, database, AgentMachines())
    assert mine
    assert row.state is ImageState.READY


def test_an_unknown_system_is_told(settings: Settings, database: Database) -> None:
    """A system without a recipe fails with a sentence."""
    task = ImageBake(
        "plan9", settings=settings, database=database, machines=AgentMachines(), stop=threading.Event()
    )
    task.run()
    with database.read() as session:
        row = session.get(Image, "plan9")
    assert row is not None
    assert row.state is ImageState.FAILED
    assert "plan9" in row.note
    assert Path(settings.images).exists()
