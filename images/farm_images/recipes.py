"""Recipes: what an image is made of, one TOML file per image.

Called by the bake, by planning for what is not baked yet, and by the doors to list which images there can be. It never
looks at a machine or the network: a recipe is data.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from farm_images.recipe_file import Reader, RecipeError, Text, read_layers

PROVIDERS = ("distribution", "pyenv", "uv")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_EXTENDED = re.compile(rf"(shared/)?{_NAME.pattern}")
_CPYTHON = re.compile(r"[23]\.\d{1,2}t?")
_PYPY = re.compile(r"pypy[23]\.\d{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image, as its file and those that it extends describe it.

    Pythons are named as everywhere: `3.14`, `3.14t` for the free-threaded build, `pypy3.11`.

    Attributes:
        name: the image's name, such as `debian-12`: the file's name without `.toml`.
        suite: the Debian suite that mmdebstrap is asked for.
        kernel: the kernel package.
        size_gib: the virtual size of the disk.
        bake_seconds: about how long a bake takes.
        command_line: the kernel command line that the image is booted with.
        release_may_be_old: whether a suite whose signature ran out is taken all the same.
        modules: kernel modules that the initrd loads, in order.
        packages: Debian packages, without the kernel's and those of the suite's Pythons.
        masked_units: systemd units that never start.
        masked_generators: systemd generators that never run.
        providers: where interpreters come from; the first that has a Python gives it.
        distribution: the suite's Pythons; the first is its python3.
        uv: what uv is asked for.
    """

    name: str
    suite: str
    kernel: str
    size_gib: int
    bake_seconds: int
    command_line: str
    release_may_be_old: bool
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    masked_units: tuple[str, ...]
    masked_generators: tuple[str, ...]
    providers: tuple[str, ...]
    distribution: tuple[str, ...]
    uv: tuple[str, ...]

    @property
    def distribution_python(self) -> str:
        """The X.Y of the suite's own python3, which drives the machine."""
        return self.distribution[0]

    @property
    def programs(self) -> tuple[str, ...]:
        """The suite's Pythons that the image offers, as programs of `/usr/bin`; python3's first."""
        wanted = self.distribution if "distribution" in self.providers else self.distribution[:1]
        return tuple("pypy3" if each.startswith("pypy") else f"python{each}" for each in wanted)

    @property
    def all_packages(self) -> tuple[str, ...]:
        """The kernel, the packages, and those of the suite's Pythons with what is needed to build for them."""
        found = [self.kernel, "python3", *self.packages]
        wanted = self.distribution if "distribution" in self.providers else self.distribution[:1]
        for python in wanted:
            name = "pypy3" if python.startswith("pypy") else f"python{python.removesuffix('t')}"
            names = [f"{name}-nogil"] if python.endswith("t") else [name, f"{name}-venv"]
            found += [*names, f"{name}-dev"]
        return tuple(dict.fromkeys(found))


def parse_recipe(text: str, *, name: str, source: str, folders: Iterable[Path] = ()) -> Recipe:
    """Read one recipe; `source` is the file's name for the sentences of `RecipeError`."""
    places = tuple(folders)
    own = Text(text=text, name=name, source=source)
    reader = Reader(read_layers(own, lambda extended, by: _extended(extended, by, places)))
    interpreters = reader.take_table("interpreters")
    recipe = Recipe(
        name=name,
        suite=reader.take("suite", str),
        kernel=reader.take("kernel", str),
        size_gib=reader.take("size_gib", int),
        bake_seconds=reader.take("bake_seconds", int, 240),
        command_line=reader.take("command_line", str),
        release_may_be_old=reader.take("release_may_be_old", bool, default=False),
        modules=reader.take_names("modules"),
        packages=reader.take_names("packages"),
        masked_units=reader.take_names("masked_units"),
        masked_generators=reader.take_names("masked_generators"),
        providers=interpreters.take_names("providers", joined=False),
        distribution=interpreters.take_names("distribution", joined=False),
        uv=interpreters.take_names("uv", joined=False),
    )
    reader.finish()
    interpreters.finish()
    _check(recipe, reader)
    _check_interpreters(recipe, interpreters)
    return recipe


def load_recipe(name: str, folders: Iterable[Path] = ()) -> Recipe:
    """The recipe of that name: the user's folders first, in order, then those that the farm ships."""
    if not _NAME.fullmatch(name):
        raise RecipeError(
            f"{name!r} cannot name an image: use small letters, digits, dots and dashes.", name=name
        )
    places = tuple(folders)
    found = _find(name, [*places, _shipped()])
    if found is None:
        known = recipe_names(places)
        raise RecipeError(
            f"There is no recipe {name!r}. There are: {', '.join(known)}.", name=name, known=known
        )
    return parse_recipe(found.text, name=name, source=found.source, folders=places)


def recipe_names(folders: Iterable[Path] = ()) -> list[str]:
    """The names of all recipes in the user's folders and in the package, sorted."""
    places: list[Path | Traversable] = [folder for folder in folders if folder.is_dir()]
    places.append(_shipped())
    return sorted({f.name[:-5] for place in places for f in place.iterdir() if f.name.endswith(".toml")})


def _extended(name: str, by: Text, folders: tuple[Path, ...]) -> Text | None:
    """The file that a recipe extends; one of the same name is the farm's own."""
    if not _EXTENDED.fullmatch(name):
        return None
    return _find(name, [_shipped()] if name == by.name else [*folders, _shipped()])


def _find(name: str, places: Iterable[Path | Traversable]) -> Text | None:
    for place in places:
        candidate = place / f"{name}.toml"
        if candidate.is_file():
            return Text(text=candidate.read_text(encoding="utf-8"), name=name, source=str(candidate))
    return None


def _shipped() -> Traversable:
    return files("farm_images") / "recipes"


def _check(recipe: Recipe, reader: Reader) -> None:
    if not 2 <= recipe.size_gib <= 1024:
        raise reader.error("size_gib", "expected 2 to 1024")
    if not 1 <= recipe.bake_seconds <= 86_400:
        raise reader.error("bake_seconds", "expected 1 to 86400")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", recipe.suite):
        raise reader.error("suite", f"{recipe.suite!r} is no name of a suite")
    for key in ("packages", "modules", "masked_units", "masked_generators"):
        for value in getattr(recipe, key):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+.@_:-]*", value):
                raise reader.error(key, f"{value!r} is not a plain name")


def _check_interpreters(recipe: Recipe, reader: Reader) -> None:
    unknown = [provider for provider in recipe.providers if provider not in PROVIDERS]
    if unknown:
        raise reader.error("providers", f"{unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    if list(recipe.providers) != [each for each in PROVIDERS if each in recipe.providers]:
        raise reader.error("providers", f"they stand in this order: {', '.join(PROVIDERS)}")
    if not re.fullmatch(r"3\.\d{1,2}", next(iter(recipe.distribution), "")):
        raise reader.error(
            "distribution", 'expected a list that begins with X.Y of python3, such as ["3.13"]'
        )
    for key in ("distribution", "uv"):
        for python in getattr(recipe, key):
            if not (_CPYTHON.fullmatch(python) or _PYPY.fullmatch(python)):
                raise reader.error(key, f"{python!r} names no Python; write it as 3.14, 3.14t or pypy3.11")
