"""Whether an environment still has what makes it one.

Called before an environment is used. Files are looked at, nothing is started, and nothing is mended here: what is
damaged is rebuilt.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from tox_wheelfarm.installed import damaged_file, names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SYSTEM = re.compile(r"^\s*include-system-site-packages\s*=\s*(\w+)\s*$", re.MULTILINE | re.IGNORECASE)
LIMIT = 2**16
"""Characters of a pyvenv.cfg; they have a few hundred."""


def skeleton(folder: Path, scripts: Path, executable: str, system: bool = False) -> str:
    """What of the environment itself is gone or another, in a few words; "" if it is whole.

    Args:
        folder: the environment.
        scripts: its `bin` or `Scripts`.
        executable: the interpreter that it was made of; where its own is a link, it leads there.
        system: whether it was made to see its interpreter's packages.
    """
    python = "python.exe" if sys.platform == "win32" else "python"
    needed = {
        "pyvenv.cfg": folder / "pyvenv.cfg",
        "activate": scripts / "activate",
        "python": scripts / python,
    }
    for name, path in needed.items():
        # A link to an interpreter that is gone does not exist.
        if not os.path.exists(path):  # noqa: PTH110 - pathlib is four times as slow, and this runs every time
            return f"its {name} is gone"
    own = needed["python"]
    if os.path.islink(own) and not os.path.samefile(own, executable):  # noqa: PTH114, PTH121 - as above
        return "its python is another"
    return _configured(needed["pyvenv.cfg"], system)


def _configured(path: Path, system: bool) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = SYSTEM.search(file.read(LIMIT))
    except OSError:
        return "its pyvenv.cfg cannot be read"
    seen = found is not None and found[1].lower() == "true"
    return "" if seen == system else f"its pyvenv.cfg says include-system-site-packages = {str(seen).lower()}"


class Damage(NamedTuple):
    """A file that is not as it was installed: which, of which package, and that in a few words."""

    path: Path
    name: str
    told: str


def find(folders: Sequence[Path]) -> Iterator[Damage]:
    """The first file of each package that is gone or was changed.

    Raises:
        DamagedError: one package is there twice.
    """
    found = names(folders)
    everything = [info for _, info in found.values()]
    for name, (_, info) in found.items():
        if told := damaged_file(info, info.parent, everything):
            path, _, how = told.partition(" ")
            yield Damage(info.parent / path, name, f"{path} of {name} {how}")


def packages(folders: Sequence[Path]) -> str:
    """What the first of them is, in a few words; "" if all are whole.

    Raises:
        DamagedError: one package is there twice.
    """
    return next((each.told for each in find(folders)), "")
