"""A project's folder that is installed as it is (`package = editable-legacy`), with the name of the project in it.

Made by the packager, which can ask the build backend; read by `artifact`. The folder's own name tells nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tox.tox_env.python.package import EditableLegacyPackage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class InPlace(EditableLegacyPackage):
    """A package of tox's that knows its name."""

    def __init__(self, path: Path, deps: Sequence[Any], name: str) -> None:
        super().__init__(path, deps)
        self.name = name
