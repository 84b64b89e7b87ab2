"""The text of a recipe: its TOML file and those that it extends, read key by key.

Called by recipes, which gives the values their meaning. What a file says wins over the file that it extends; lists of
names join. It looks at no other file.
"""

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from farm_images.errors import ImageError

_Kind = TypeVar("_Kind", str, int, bool)

MOST_LAYERS = 8
"""Files that extend one another; more are a circle."""


class RecipeError(ImageError):
    """A recipe is missing or says something that is not understood; the sentence names file, line and key."""

    code = "recipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One file: its text, the recipe's name, and the file's for the sentences of errors."""

    text: str
    name: str
    source: str

    def error(self, key: str, why: str) -> RecipeError:
        """The error that names file, line and key."""
        found = re.search(rf"^\s*(\[\s*)?{re.escape(key)}\b", self.text, re.MULTILINE)
        line = self.text.count("\n", 0, found.end()) + 1 if found else None
        place = f"{self.source}, line {line}" if line else self.source
        return RecipeError(f"{place}: {key}: {why}.", source=self.source, line=line, key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A table of one file, of which keys are taken away as they are read."""

    text: Text
    table: dict[str, Any]


def read_layers(text: Text, find: Callable[[str, Text], Text | None]) -> list[Layer]:
    """The layers of a recipe, its own first; `find` gives the file of the name that a file extends.

    Raises:
        RecipeError: a file is no TOML, extends what is not there, or itself.
    """
    layers: list[Layer] = []
    here: Text | None = text
    while here is not None:
        layer = Layer(text=here, table=_parse(here))
        layers.append(layer)
        name = layer.table.pop("extends", None)
        if name is None:
            break
        if not isinstance(name, str) or len(layers) == MOST_LAYERS:
            raise here.error("extends", "expected the name of a recipe that does not extend this one")
        found = find(name, here)
        if found is None:
            raise here.error("extends", f"there is no recipe {name!r}")
        here = found
    return layers


def _parse(text: Text) -> dict[str, Any]:
    try:
        return tomllib.loads(text.text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{text.source}: {error}. Correct the file.", source=text.source) from error
    except RecursionError as error:
        sentence = f"{text.source} is nested deeper than any recipe needs. Correct the file."
        raise RecipeError(sentence, source=text.source) from error


class Reader:
    """The same table of all layers, read key by key; a key that nobody asked for is an error."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers

    def take(self, key: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
        """The value of the key, of that type (true is no number); without a default it must be there."""
        found = self._take(key)
        if found is None:
            if default is not None:
                return default
            source = self._layers[0].text.source
            raise RecipeError(f"{source}: the key {key} is missing.", source=source, key=key)
        owner, value = found
        if type(value) is not kind:  # true is an instance of int
            raise owner.error(key, f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    def take_table(self, key: str) -> "Reader":
        """The table of that name in each layer; empty where it is not."""
        found = []
        for layer in self._layers:
            table = layer.table.pop(key, {})
            if not isinstance(table, dict):
                raise layer.text.error(key, "expected a table")
            found.append(Layer(text=layer.text, table=table))
        return Reader(found)

    def take_names(self, key: str, *, joined: bool = True) -> tuple[str, ...]:
        """The list of strings of the key, without repetition: those of all layers, or of the first that has it."""
        names: list[str] = []
        for layer in reversed(self._layers):
            if key in layer.table:
                here = _names(layer, key)
                names = [*names, *here] if joined else here
        return tuple(dict.fromkeys(names))

    def finish(self) -> None:
        """Refuse keys that no reader took: a misspelt one would be silently without effect."""
        for layer in self._layers:
            for key in layer.table:
                raise layer.text.error(key, "there is no such key")

    def error(self, key: str, why: str) -> RecipeError:
        """The error that names the first file that speaks of the key."""
        texts = [layer.text for layer in self._layers]
        said = [each for each in texts if re.search(rf"^\s*{re.escape(key)}\b", each.text, re.MULTILINE)]
        return (said or texts)[0].error(key, why)

    def _take(self, key: str) -> tuple[Text, Any] | None:
        found = [(layer.text, layer.table.pop(key)) for layer in self._layers if key in layer.table]
        return found[0] if found else None


def _names(layer: Layer, key: str) -> list[str]:
    value = layer.table.pop(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise layer.text.error(key, "expected a list of strings")
    if len(set(value)) != len(value):
        raise layer.text.error(key, "a name stands there twice")
    return value
