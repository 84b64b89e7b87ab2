"""Recipes: what a file says is what the bake gets, and what it cannot mean is refused with its place."""

import re
from pathlib import Path

import pytest

from farm_images.recipes import RecipeError, load_recipe, parse_recipe, recipe_names

TEXT = """\
suite = "trixie"
kernel = "linux-image-cloud-amd64"
size_gib = 8
command_line = "root=/dev/vda"
modules = ["virtio_blk"]
packages = ["git", "g++"]
masked_units = ["getty@tty1.service"]
masked_generators = []

[interpreters]
providers = ["distribution", "pyenv"]
distribution = "3.13"
"""


def test_shipped_recipe_is_understood() -> None:
    """The recipe of debian-12 that the farm ships asks for bookworm with its own Python first."""
    recipe = load_recipe("debian-12")
    assert (recipe.suite, recipe.distribution_python) == ("bookworm", "3.11")
    assert recipe.providers[0] == "distribution"
    assert {"git", "gcc", "python3-venv"} <= set(recipe.packages)


def test_user_folder_comes_before_the_package(tmp_path: Path) -> None:
    """A user's recipe of the same name wins, and one of another name joins the list."""
    for name in ("debian-12", "mine"):
        (tmp_path / f"{name}.toml").write_text(TEXT, encoding="utf-8")
    assert load_recipe("debian-12", [tmp_path]).suite == "trixie"
    assert recipe_names([tmp_path, tmp_path / "absent"]) == ["debian-12", "mine"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size_gib = 8", "size_gib = true", r"x\.toml, line 3: size_gib: expected int"),
        ("size_gib = 8", "size_gib = 1", r"line 3: size_gib: expected 2"),
        ("[interpreters]", "sweet = 1\n[interpreters]", r"x\.toml, line 10: sweet: there is no such key"),
        ("distribution = ", "colour = 1\ndistribution = ", r"line 12: colour: there is no such key"),
        ('"pyenv"]', '"conda"]', r"line 11: providers: 'conda' is not one of"),
        ('distribution = "3.13"', 'distribution = "3"', r"line 12: distribution: expected X\.Y"),
        ('["git", "g++"]', '["git", "git"]', r"line 6: packages: a name stands there twice"),
        ('["git", "g++"]', '["--hook=x"]', r"line 6: packages: '--hook=x' is not a plain name"),
        ('["git", "g++"]', '"git"', r"line 6: packages: expected a list of strings"),
        ('suite = "trixie"\n', "", r"x\.toml: the key suite is missing"),
        ("[interpreters]", "[interpreters", r"x\.toml: .*line 10"),
    ],
)
def test_refusals_name_line_and_key(old: str, new: str, said: str) -> None:
    """What a recipe cannot mean is refused with file, line and key."""
    assert old in TEXT
    with pytest.raises(RecipeError) as refusal:
        parse_recipe(TEXT.replace(old, new), name="x", source="x.toml")
    assert re.search(said, refusal.value.sentence)


@pytest.mark.parametrize("name", ["absent", "../debian-12", ""])
def test_unknown_names_are_refused(name: str) -> None:
    """A name without a recipe, or one that would leave the folder, is refused."""
    with pytest.raises(RecipeError):
        load_recipe(name)
