"""Runs that wait for images: what is asked for, once, and where cells go when a bake gives less than its recipe."""

import pytest
from tests.stored_image import image_row, store_image

from farm_images.recipes import RecipeError
from farm_scheduler import runs
from farm_scheduler.plan import Narrowing
from farm_scheduler.states import ImageState, RunState
from farm_scheduler.systems import expected_system, read_systems
from farm_scheduler.tables import Run


class Sent:
    """An engine that keeps what is published; the real one is in tests/services."""

    def __init__(self):
        self.messages = []

    def send_task(self, name, args=(), **_):
        """Keep one message."""
        self.messages.append((name, *args))


@pytest.fixture
def engine():
    """Shared by all runs of a test."""
    return Sent()


@pytest.fixture
def submit(database, settings, engine, tmp_path):
    """Submits a project with these environments; the id of its run."""
    folder = tmp_path / "project"
    folder.mkdir()

    def run(env_list, settings=settings):
        (folder / "tox.ini").write_text(f"[tox]\nenv_list = {env_list}\n")
        return runs.submit(database, engine, settings, str(folder), Narrowing()).id

    return run


@pytest.fixture
def baked(database):
    """Records an image with two Pythons, in any state."""

    def add(name, state=ImageState.READY):
        with database.write() as session:
            session.merge(image_row("3.11.2", "3.12.1", name=name, state=state))

    return add


def state(database, run):
    """The run as it is now."""
    with database.read() as session:
        return session.get(Run, run).state


def test_two_runs_of_one_image_wait_for_one_bake(database, settings, engine, submit, baked):
    """A run that comes while the image is baked asks for no other bake, and both are planned when it is there."""
    first = submit("py311")
    baked("debian-12", ImageState.BAKING)
    second = submit("py311")
    runs.advance(database, engine, settings, first)
    assert engine.messages == [("wheelfarm.bake", "debian-12")]
    baked("debian-12")
    for run in (first, second):
        runs.advance(database, engine, settings, run)
        assert state(database, run) is RunState.QUEUED
    assert engine.messages[1:] == [("wheelfarm.ticket",)] * 2


def test_a_bake_may_move_cells_to_another_system(database, settings, engine, submit, baked):
    """What an image lacks after all is looked for on the next system, whose image is then asked for."""
    three = settings.model_copy(
        update={"systems": ("debian-12", "debian-13", "forky"), "python_mirror": "http://127.0.0.1:9/"}
    )
    run = submit("py311, py314", three)
    assert engine.messages == [("wheelfarm.bake", "debian-12")]
    baked("debian-12")
    runs.advance(database, engine, three, run)
    assert engine.messages[1:] == [("wheelfarm.bake", "debian-13")]
    baked("debian-13")
    runs.advance(database, engine, three, run)
    assert engine.messages[2:] == [("wheelfarm.bake", "forky")]
    assert state(database, run) is RunState.PLANNED
    baked("forky", ImageState.FAILED)
    runs.advance(database, engine, three, run)
    assert state(database, run) is RunState.QUEUED
    with database.read() as session:
        assert "the image forky could not be baked" in str(session.get(Run, run).notes)


def test_an_image_that_failed_before_is_tried_again(engine, submit, baked):
    """A new run asks for an image that could not be baked for an earlier one."""
    baked("debian-12", ImageState.FAILED)
    submit("py311")
    assert engine.messages == [("wheelfarm.bake", "debian-12")]


def test_a_recipe_of_the_user_makes_a_system(database, settings):
    """A file in the home's recipes is a system once it is named, and the farm's own recipes can be extended."""
    settings.recipes.mkdir()
    text = 'extends = "forky"\n[interpreters]\nproviders = ["distribution"]\ndistribution = ["3.14", "pypy3.11"]\n'
    (settings.recipes / "mine.toml").write_text(text)
    named = settings.model_copy(update={"systems": ("mine", "debian-12")})
    (mine, _) = read_systems(database, named)
    assert (mine.name, mine.baked) == ("mine", False)
    assert [each.name for each in mine.working()] == ["pypy3.11", "3.14"]
    with pytest.raises(RecipeError, match="There are: debian-12, debian-13, forky, mine"):
        read_systems(database, settings.model_copy(update={"systems": ("his",)}))


def test_what_uv_could_not_fetch_is_not_expected_elsewhere(settings):
    """After one image had to do without uv's builds, the next one is not baked for them."""
    away = settings.model_copy(
        update={"python_mirror": "http://127.0.0.1:9/", "systems": ("debian-12", "forky")}
    )
    assert "3.16" in {each.name for each in expected_system("forky", away).interpreters}
    store_image(settings.images, notes=("uv could not fetch 3.16: no network",))
    assert "3.16" not in {each.name for each in expected_system("forky", away).interpreters}
