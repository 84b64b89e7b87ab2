"""Recipes: what an image is made of, one TOML file per image.

Called by the bake, and by the doors to list which images there can be. It never looks at a machine or the
network: a recipe is data.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from farm_images.errors import ImageError

_Kind = TypeVar("_Kind", str, int)

PROVIDERS = ("distribution", "pyenv")
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


class RecipeError(ImageError):
    """A recipe is missing or says something that is not understood; the sentence names file, line and key."""

    code = "recipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One image, as its file describes it.

    Attributes:
        name: the image's name, such as `debian-12`: the file's name without `.toml`.
        suite: the Debian suite that mmdebstrap is asked for.
        kernel: the kernel package.
        size_gib: the virtual size of the disk.
        command_line: the kernel command line that the image is booted with.
        modules: kernel modules that the initrd loads, in order.
        packages: Debian packages, without the kernel's.
        masked_units: systemd units that never start.
        masked_generators: systemd generators that never run.
        providers: where interpreters come from; the first that has an X.Y gives it.
        distribution_python: the X.Y of the suite's own python3.
    """

    name: str
    suite: str
    kernel: str
    size_gib: int
    command_line: str
    modules: tuple[str, ...]
    packages: tuple[str, ...]
    masked_units: tuple[str, ...]
    masked_generators: tuple[str, ...]
    providers: tuple[str, ...]
    distribution_python: str


def parse_recipe(text: str, *, name: str, source: str) -> Recipe:
    """Read one recipe; `source` is the file's name for the sentences of `RecipeError`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{source}: {error}. Correct the file.", source=source) from error
    reader = _Reader(table=table, text=text, source=source)
    interpreters = _Reader(table=reader.take_table("interpreters"), text=text, source=source)
    recipe = Recipe(
        name=name,
        suite=reader.take("suite", str),
        kernel=reader.take("kernel", str),
        size_gib=reader.take("size_gib", int),
        command_line=reader.take("command_line", str),
        modules=reader.take_names("modules"),
        packages=reader.take_names("packages"),
        masked_units=reader.take_names("masked_units"),
        masked_generators=reader.take_names("masked_generators"),
        providers=interpreters.take_names("providers"),
        distribution_python=interpreters.take("distribution", str),
    )
    reader.finish()
    interpreters.finish()
    _check(recipe, reader, interpreters)
    return recipe


def load_recipe(name: str, folders: Iterable[Path] = ()) -> Recipe:
    """The recipe of that name: the user's folders first, in order, then those that the farm ships."""
    if not _NAME.fullmatch(name):
        raise RecipeError(
            f"{name!r} cannot name an image: use small letters, digits, dots and dashes.", name=name
        )
    places: list[Path | Traversable] = [*folders, _shipped()]
    for place in places:
        candidate = place / f"{name}.toml"
        if candidate.is_file():
            return parse_recipe(candidate.read_text(encoding="utf-8"), name=name, source=str(candidate))
    known = recipe_names(folders)
    raise RecipeError(f"There is no recipe {name!r}. There are: {', '.join(known)}.", name=name, known=known)


def recipe_names(folders: Iterable[Path] = ()) -> list[str]:
    """The names of all recipes in the user's folders and in the package, sorted."""
    places: list[Path | Traversable] = [folder for folder in folders if folder.is_dir()]
    places.append(_shipped())
    return sorted({f.name[:-5] for place in places for f in place.iterdir() if f.name.endswith(".toml")})


def _shipped() -> Traversable:
    return files("farm_images") / "recipes"


def _check(recipe: Recipe, reader: "_Reader", interpreters: "_Reader") -> None:
    unknown = [provider for provider in recipe.providers if provider not in PROVIDERS]
    if unknown:
        raise interpreters.error("providers", f"{unknown[0]!r} is not one of {', '.join(PROVIDERS)}")
    if not re.fullmatch(r"\d\.\d+", recipe.distribution_python):
        raise interpreters.error("distribution", 'expected X.Y, such as "3.11"')
    if not 2 <= recipe.size_gib <= 1024:
        raise reader.error("size_gib", "expected 2 to 1024")
    for key in ("packages", "modules", "masked_units", "masked_generators"):
        for value in getattr(recipe, key):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+.@_:-]*", value):
                raise reader.error(key, f"{value!r} is not a plain name")


class _Reader:
    """One TOML table, read key by key; a key that nobody asked for is an error."""

    def __init__(self, *, table: dict[str, Any], text: str, source: str) -> None:
        self._table = dict(table)
        self._text = text
        self._source = source

    def take(self, key: str, kind: type[_Kind]) -> _Kind:
        """The value of the key, which must be there and of that type (true is no number)."""
        if key not in self._table:
            raise RecipeError(f"{self._source}: the key {key} is missing.", source=self._source, key=key)
        value = self._table.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    def take_table(self, key: str) -> dict[str, Any]:
        """The table of that name."""
        value = self._table.pop(key, None)
        if not isinstance(value, dict):
            raise self.error(key, "expected a table")
        return value

    def take_names(self, key: str) -> tuple[str, ...]:
        """The value of the key, which must be a list of strings without repetition."""
        value = self._table.pop(key, None)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "expected a list of strings")
        if len(set(value)) != len(value):
            raise self.error(key, "a name stands there twice")
        return tuple(value)

    def finish(self) -> None:
        """Refuse keys that no reader took: a misspelt one would be silently without effect."""
        for key in self._table:
            raise self.error(key, "there is no such key")

    def error(self, key: str, why: str) -> RecipeError:
        """The error that names file, line and key."""
        found = re.search(rf"^\s*(\[\s*)?{re.escape(key)}\b", self._text, re.MULTILINE)
        line = self._text.count("\n", 0, found.end()) + 1 if found else None
        place = f"{self._source}, line {line}" if line else self._source
        return RecipeError(f"{place}: {key}: {why}.", source=self._source, line=line, key=key)
