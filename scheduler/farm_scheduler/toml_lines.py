"""The line of a key in a TOML text, for messages: `tomllib` does not say where a value stood.

Called by the reader of a project's declaration, with a text that is TOML already. It looks at headers and keys at
the beginning of lines only and never refuses a text: what it cannot find has the line of the table around it.
"""

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]

_HEADER = re.compile(r"\s*(\[\[?[^\]\n]+\]?\])\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[\w-]+|"[^"\n]*"|'[^'\n]*'))*)\s*=""")


def line_of(text: str, path: Path) -> int | None:
    """The line (from 1) where the value at `path` begins, or the nearest value around it; None for neither."""
    best: tuple[tuple[int, bool], int | None] = ((0, True), None)
    for line, found in _places(text):
        shared = 0
        for ours, theirs in zip(path, found, strict=False):
            if ours != theirs:
                break
            shared += 1
        rank = (shared, shared == len(found))
        if rank > best[0]:
            best = (rank, line)
    return best[1]


def _places(text: str) -> Iterator[tuple[int, Path]]:
    """Each line that begins a table or a value, with its path; of an array of tables, with the place in it."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if match := _HEADER.fullmatch(line):
            keys = _parse(match[1])
            if match[1].startswith("[["):
                counts[keys] = counts.get(keys, -1) + 1
            table = _numbered(keys, counts)
            yield number, table
        elif match := _KEY.match(line):
            yield number, table + _parse(f"{match[1]} = 0")


def _numbered(keys: Path, counts: dict[Path, int]) -> Path:
    """The path with the place in each array of tables on the way."""
    path: Path = ()
    for end, key in enumerate(keys, 1):
        path += (key,)
        if keys[:end] in counts:
            path += (counts[keys[:end]],)
    return path


def _parse(statement: str) -> Path:
    """The keys of one header or one assignment; none when it is neither by itself."""
    try:
        here: object = tomllib.loads(statement)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    path: Path = ()
    while isinstance(here, dict | list) and here:
        if isinstance(here, dict):
            (key, here), *_ = here.items()
            path += (key,)
        else:
            here = here[0]
    return path
