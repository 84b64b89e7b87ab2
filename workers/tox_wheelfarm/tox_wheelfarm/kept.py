"""A file of our cache, written whole or not at all.

Called by `constraints` and `yanked`. It never leaves a half-written file where another process looks for a whole one.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def keep(path: Path, body: bytes) -> Path:
    """Write the file unless it is there with these bytes, and give its path; folders are made."""
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
