"""The indexes that a project's `tool.uv` names, told to uv so that the logins to them count where files are fetched.

Used by `changing`. uv knows a login by an index (`UV_INDEX_NAME_PASSWORD`, or in its URL) and by its host for what is
fetched from there. They are told as explicit ones: no release is ever looked for in them.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tox_wheelfarm.yanked import PYPI

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tox_wheelfarm.locks.pin import Pin
    from tox_wheelfarm.uv import Uv


@contextmanager
def told(uv: Uv, root: Path, pins: Sequence[Pin]) -> Iterator[Uv]:
    """The same uv, that knows the indexes of a project; ends with the block.

    Args:
        uv: as it would be run without.
        root: the project's folder.
        pins: what is to be installed; where all of it is from PyPI, nothing is told.

    Raises:
        LockFileError: a pyproject.toml is no TOML, or its tables are none.
    """
    if not any(map(_elsewhere, pins)):
        yield uv
        return
    import tomli_w

    from tox_wheelfarm.uv_sources import UvSources

    indexes = UvSources.read(root).indexes
    if not indexes:
        yield uv
        return
    # A folder that nobody else can look into: a URL may have a password.
    with tempfile.TemporaryDirectory(prefix="wheelfarm-") as folder:
        settings = Path(folder) / "uv.toml"
        settings.write_text(tomli_w.dumps({"index": list(indexes.values())}), "utf-8")
        yield replace(uv, settings=settings)


def _elsewhere(pin: Pin) -> bool:
    place = pin.index.rstrip("/")
    return place not in {"", PYPI} or (bool(pin.files) and pin.reference.startswith("http"))
