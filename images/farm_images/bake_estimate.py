"""How long a bake will still take: from the last bake of the image on this host, or its recipe, and from its own pace.

Called by the bake task, which shows it. A guess, never a limit.
"""

import time
from pathlib import Path

from farm_images import catalogue
from farm_images.recipes import Recipe

TRUSTED_PERCENT = 10
"""Before this the pace of the bake itself says nothing."""


def expected_seconds(recipe: Recipe, images: Path) -> float:
    """How long a bake of the recipe takes: as the last one on this host, else as the recipe says."""
    last = catalogue.newest(images, recipe.name)
    return last.seconds if last is not None and last.seconds else float(recipe.bake_seconds)


class BakeEstimate:
    """The time left of one bake, which begins now.

    Args:
        seconds: how long all of it should take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begun = time.monotonic()

    def left(self, percent: int) -> float:
        """Seconds that are left when so much is done, of 100: the more is done, the more its own pace counts."""
        share = min(max(percent, 0), 100) / 100
        expected = self._seconds
        if percent >= TRUSTED_PERCENT:
            pace = (time.monotonic() - self._begun) / share
            pace = max(pace, self._seconds / 2)  # a part of it may have been there already
            expected = (1 - share) * expected + share * pace
        return expected * (1 - share)
