"""One JSON object of a frame, read strictly: every field typed and bounded, none left over.

Used by `wire` for what the host sends. Standard library only, as it is part of the agent's archive. It never
knows what a field means.
"""

import json
import re
from typing import Any, Final, TypeVar

from farm_images.errors import WireError

_Choice = TypeVar("_Choice", bound=str)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Fields:
    """One JSON object; a field is taken out when it is read. Every method raises WireError for what does not fit."""

    def __init__(self, payload: bytes | dict[str, Any], name: str) -> None:
        self._name = name
        if isinstance(payload, bytes):
            try:
                payload = json.loads(payload)
            except (ValueError, RecursionError) as error:
                raise self._wrong("the frame", "JSON") from error
        if not isinstance(payload, dict):
            raise self._wrong("the frame", "an object")
        self._left = dict(payload)

    def _wrong(self, key: str, wanted: str) -> WireError:
        return WireError(f"In a {self._name} frame, {key} must be {wanted}.", frame=self._name, field=key)

    def done(self) -> None:
        """Nothing may be left over."""
        if self._left:
            raise self._wrong(f"the unknown {min(self._left)!r:.50}", "left out")

    def present(self, key: str) -> bool:
        """Whether a field holds something; a null is taken out."""
        if self._left.get(key) is None:
            self._left.pop(key, None)
            return False
        return True

    def inner(self, key: str) -> "Fields":
        """A field that is an object."""
        value = self._left.pop(key, None)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Fields(value, f"{self._name} {key}")

    def number(self, key: str, least: float, most: float) -> float:
        """A field that is a number within bounds."""
        value = self._left.pop(key, None)
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(key, f"a number from {least} to {most}")
        return value

    def text(self, key: str, most: int, pattern: re.Pattern[str] | None = None) -> str:
        """A field that is a text of at most `most` characters."""
        return self._text(key, self._left.pop(key, None), most, pattern)

    def _text(self, key: str, value: object, most: int, pattern: re.Pattern[str] | None) -> str:
        if not isinstance(value, str) or len(value) > most or "\0" in value:
            raise self._wrong(key, f"a text of at most {most} characters without NUL")
        if pattern is not None and not pattern.fullmatch(value):
            raise self._wrong(key, f"like {pattern.pattern}")
        return value

    def one_of(self, key: str, *choices: _Choice) -> _Choice:
        """A field that is one of these words."""
        value = self._left.pop(key, None)
        for choice in choices:
            if value == choice:
                return choice
        raise self._wrong(key, "one of " + ", ".join(choices))

    def texts(
        self, key: str, count: int, most: int, pattern: re.Pattern[str] | None = None
    ) -> tuple[str, ...]:
        """A field that is a list of at most `count` texts."""
        value = self._left.pop(key, None)
        if not isinstance(value, list) or len(value) > count:
            raise self._wrong(key, f"a list of at most {count}")
        return tuple(self._text(key, item, most, pattern) for item in value)

    def mapping(self, key: str, count: int, most: int) -> dict[str, str]:
        """A field that is an object of variables and texts."""
        value = self._left.pop(key, None)
        if not isinstance(value, dict) or len(value) > count:
            raise self._wrong(key, f"an object of at most {count} texts")
        return {
            self._text(key, name, 100, _VARIABLE): self._text(key, text, most, None)
            for name, text in value.items()
        }
