"""The systems of the farm as planning sees them: with the Pythons that were started in their images, or by recipe.

Called by runs and by the doors. It bakes nothing; an image that is not there yet has what its recipe and this host's
providers should give.
"""

import dataclasses
from dataclasses import dataclass

from sqlmodel import col, select

from farm_images import catalogue
from farm_images.bake_estimate import expected_seconds
from farm_images.providers import Providers
from farm_images.recipes import Recipe, load_recipe
from farm_images.uv_builds import UvBuilds
from farm_scheduler.database import Database
from farm_scheduler.interpreters import SystemImage, name_order, system_image
from farm_scheduler.settings import Settings
from farm_scheduler.states import ImageState
from farm_scheduler.tables import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """A system as people see it.

    Attributes:
        row: its image in the record; None when nobody asked for it yet.
        bake_seconds: how long a bake of it takes, about.
        expected: the names of the Pythons that a bake should give it.
    """

    name: str
    row: Image | None
    bake_seconds: float
    expected: tuple[str, ...]


def recipe_of(name: str, settings: Settings) -> Recipe:
    """The recipe of a system: the user's, or the farm's.

    Raises:
        RecipeError: there is none, or it cannot be read.
    """
    return load_recipe(name, [settings.recipes])


def providers_of(settings: Settings) -> Providers:
    """What this host has of Pythons."""
    return Providers(
        pyenv_root=settings.pyenv_root,
        uv=UvBuilds(folder=settings.pythons, mirror=settings.python_mirror),
    )


def read_systems(database: Database, settings: Settings) -> list[SystemImage]:
    """Every system of the farm, in its order.

    Raises:
        RecipeError: a system that is not baked has no recipe that can be read.
    """
    rows = _rows(database, settings)
    return [_system(name, rows.get(name), settings) for name in settings.systems]


def describe_systems(database: Database, settings: Settings) -> list[SystemFacts]:
    """Every system of the farm, in its order.

    Raises:
        RecipeError: a system has no recipe that can be read.
    """
    rows = _rows(database, settings)
    return [
        SystemFacts(
            name=name,
            row=rows.get(name),
            bake_seconds=expected_seconds(recipe_of(name, settings), settings.images),
            expected=tuple(
                sorted((each.name for each in expected_system(name, settings).interpreters), key=name_order)
            ),
        )
        for name in settings.systems
    ]


def _rows(database: Database, settings: Settings) -> dict[str, Image]:
    with database.read() as session:
        chosen = select(Image).where(col(Image.name).in_(settings.systems))
        return {row.name: row for row in session.exec(chosen)}


def _system(name: str, row: Image | None, settings: Settings) -> SystemImage:
    if row is not None and row.interpreters and row.state != ImageState.FAILED:
        # One that is being looked at again has, most likely, what it had.
        return system_image(name, row.interpreters, baked=row.state == ImageState.READY)
    return expected_system(name, settings)


def expected_system(name: str, settings: Settings) -> SystemImage:
    """A system with the Pythons that a bake of its recipe should give.

    What uv could not fetch for another image is not expected of it here.
    """
    fetched = not any(image.notes for image in _newest(settings))
    found = providers_of(settings).expected(recipe_of(name, settings), fetched=fetched)
    entries = [dataclasses.asdict(each) | {"works": True} for each in found]
    return system_image(name, entries, baked=False)


def _newest(settings: Settings) -> list[catalogue.Image]:
    found = (catalogue.newest(settings.images, name) for name in settings.systems)
    return [image for image in found if image is not None]
