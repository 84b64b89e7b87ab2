"""The estimate of a bake: what it goes by, and that it ends at nothing."""

from pathlib import Path

import pytest
from tests.stored_image import store_image

from farm_images import bake_estimate, catalogue
from farm_images.bake_estimate import BakeEstimate, expected_seconds
from farm_images.recipes import load_recipe

RECIPE = load_recipe("forky")


def test_the_recipe_says_it_first_and_then_the_last_bake(tmp_path: Path) -> None:
    """A host that never baked the image goes by the recipe, another by its own last bake."""
    assert expected_seconds(RECIPE, tmp_path) == RECIPE.bake_seconds
    image = store_image(tmp_path, name="forky", probed=False, seconds=100.0)
    catalogue.with_interpreters(image, [], seconds=20.5)
    assert expected_seconds(RECIPE, tmp_path) == 120.5


def test_its_own_pace_counts_more_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bake that is slow from the beginning is not said to end soon."""
    moment = 0.0
    monkeypatch.setattr(bake_estimate.time, "monotonic", lambda: moment)
    estimate = BakeEstimate(100.0)
    assert estimate.left(0) == 100.0
    moment = 100.0
    assert estimate.left(50) == pytest.approx(75.0)
    moment = 190.0
    assert 19.0 < estimate.left(90) < 21.2
    assert estimate.left(100) == 0.0
