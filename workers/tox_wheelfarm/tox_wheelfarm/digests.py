"""The SHA-256 of files on this disk.

Called by whoever has to know later whether a file is still what it was: sizes and times do not tell, as an unpacked
archive or a copy may have those of another. A file that is not there never fails: that it is not is told as well.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest(path: str | Path) -> str:
    """The hexadecimal SHA-256 of a file's bytes, or "-" where there is none that can be read."""
    if not os.path.isfile(path):  # noqa: PTH113 - often a text; and a pipe would never end
        return "-"
    try:
        with Path(path).open("rb") as file:
            whole = hashlib.sha256()
            while chunk := file.read(1 << 20):
                whole.update(chunk)
    except OSError:
        return "-"
    return whole.hexdigest()


def digests(paths: Iterable[str | Path]) -> dict[str, str]:
    """The `digest` of each file, by path."""
    return {str(path): digest(path) for path in paths}
