"""The interpreter and platform that a set is selected for.

Made by `facts` from a real interpreter, and by tests for platforms that are not at hand. It is never the process's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.tags import Tag


@dataclass(frozen=True)
class Target:
    """One interpreter on one platform.

    Attributes:
        environment: the variables of environment markers (PEP 508), without `extra`.
        tags: the wheel tags that it takes (PEP 425), the best first.
    """

    environment: Mapping[str, str]
    tags: tuple[Tag, ...]

    @cached_property
    def ranks(self) -> Mapping[Tag, int]:
        """The place of each tag, 0 for the best."""
        return {tag: rank for rank, tag in enumerate(self.tags)}
