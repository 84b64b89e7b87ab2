"""A file of our cache, written whole or not at all.

Called by `constraints`, `yanked`, `answers` and `wheelhouse`. It never leaves a half-written file where another process
looks for a whole one, and a cache that cannot be written is told in one sentence.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm.errors import InstallFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator


def keep(path: Path, body: bytes) -> Path:
    """Write the file unless it is there with these bytes, and give its path; folders are made.

    Raises:
        InstallFailedError: the cache cannot be written.
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_bytes() == body:
            return path
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(body)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink()
            raise
    return path


def held(path: Path) -> bytes | None:
    """The bytes of a file of the cache; None where there is none that can be read."""
    with suppress(OSError):
        return path.read_bytes()
    return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in one sentence that a folder of the cache cannot be written.

    Raises:
        InstallFailedError: the block raised an OSError.
    """
    try:
        yield
    except OSError as wrong:
        raise InstallFailedError(
            f"the cache folder {folder} cannot be written ({wrong.strerror or wrong}): make it writable, or set "
            "XDG_CACHE_HOME to a folder that is"
        ) from wrong
