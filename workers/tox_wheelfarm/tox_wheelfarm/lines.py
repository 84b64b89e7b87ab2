"""A setting that is a list of lines, whatever they hold.

Used by `options` for settings whose entries may contain commas, which tox's own lists would split. It never splits a
line.
"""

from __future__ import annotations

from collections.abc import Iterable


class Lines(tuple[str, ...]):
    """Lines without comments and blanks, in order."""

    __slots__ = ()

    @classmethod
    def of(cls, raw: object) -> Lines:
        """The lines of a text (tox.ini) or a list (pyproject.toml, tox.toml).

        Raises:
            TypeError: it is neither.
        """
        if isinstance(raw, str):
            found: Iterable[object] = raw.splitlines()
        elif isinstance(raw, (list, tuple)):
            found = raw
        else:
            raise TypeError(f"expected lines of text or a list of them, not {type(raw).__name__}")
        texts = (str(entry).strip() for entry in found)
        return cls(text for text in texts if text and not text.startswith("#"))
