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
distribution = ["3.13"]
"""


@pytest.mark.parametrize(
    ("name", "suite", "pythons"),
    [
        ("debian-12", "bookworm", ("3.11",)),
        ("debian-13", "trixie", ("3.13",)),
        ("forky", "forky", ("3.14", "3.13", "3.15", "pypy3.11")),
    ],
)
def test_shipped_recipes_are_understood(name: str, suite: str, pythons: tuple[str, ...]) -> None:
    """Each recipe that the farm ships asks for its suite, with its own Pythons first and what builds for them."""
    recipe = load_recipe(name)
    assert (recipe.suite, recipe.distribution) == (suite, pythons)
    assert recipe.providers == ("distribution", "pyenv", "uv")
    assert {"git", "gcc", "python3", f"python{pythons[0]}-dev", f"python{pythons[0]}-venv"} <= set(
        recipe.all_packages
    )
    assert "systemd-logind.service" in recipe.masked_units


def test_all_shipped_recipes_are_listed() -> None:
    """What recipes share is none by itself."""
    assert recipe_names() == ["debian-12", "debian-13", "forky"]


def test_packages_and_programs_follow_the_pythons() -> None:
    """PyPy and free-threaded builds have packages and programs of other names."""
    text = TEXT.replace('["3.13"]', '["3.13", "3.14t", "pypy3.11"]')
    recipe = parse_recipe(text, name="x", source="x.toml")
    assert recipe.programs == ("python3.13", "python3.14t", "pypy3")
    assert {"python3.13-venv", "python3.14-nogil", "pypy3-dev", "pypy3-venv"} <= set(recipe.all_packages)


def test_a_recipe_extends_another(tmp_path: Path) -> None:
    """Lists of packages join, one's own values win, and a recipe may extend the farm's of the same name."""
    (tmp_path / "mine.toml").write_text(
        'extends = "forky"\nsize_gib = 20\npackages = ["libxml2-dev"]\n[interpreters]\ndistribution = ["3.14"]\n'
    )
    (tmp_path / "forky.toml").write_text('extends = "forky"\nbake_seconds = 7\n')
    recipe = load_recipe("mine", [tmp_path])
    assert (recipe.suite, recipe.size_gib, recipe.bake_seconds) == ("forky", 20, 7)
    assert {"libxml2-dev", "git", "libssl3t64"} <= set(recipe.packages)
    assert recipe.distribution == ("3.14",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('extends = "none"\n', "line 1: extends: there is no recipe 'none'"),
        ('extends = "../debian-12"\n', "line 1: extends: there is no recipe"),
        ('extends = "other"\n', "extends: expected the name of a recipe that does not extend this one"),
        ("extends = 3\n", "line 1: extends: expected the name"),
        (
            'extends = "forky"\npackages = ["a;b"]\n',
            r"mine\.toml, line 2: packages: 'a;b' is not a plain name",
        ),
        ('extends = "forky"\ninterpreters = 1\n', r"mine\.toml, line 2: interpreters: expected a table"),
    ],
)
def test_what_cannot_be_extended_is_told(tmp_path: Path, text: str, said: str) -> None:
    """A circle, a name that is not there and a mistake beside it are refused with the file that has them."""
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "other.toml").write_text('extends = "mine"\n')
    with pytest.raises(RecipeError) as refusal:
        load_recipe("mine", [tmp_path])
    assert re.search(said, refusal.value.sentence)


def test_user_folder_comes_before_the_package(tmp_path: Path) -> None:
    """A user's recipe of the same name wins, and one of another name joins the list."""
    for name in ("debian-12", "mine"):
        (tmp_path / f"{name}.toml").write_text(TEXT, encoding="utf-8")
    assert load_recipe("debian-12", [tmp_path]).suite == "trixie"
    assert recipe_names([tmp_path, tmp_path / "absent"]) == ["debian-12", "debian-13", "forky", "mine"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("size_gib = 8", "size_gib = true", r"x\.toml, line 3: size_gib: expected int"),
        ("size_gib = 8", "size_gib = 1", r"line 3: size_gib: expected 2"),
        ("[interpreters]", "sweet = 1\n[interpreters]", r"x\.toml, line 10: sweet: there is no such key"),
        ("distribution = ", "colour = 1\ndistribution = ", r"line 12: colour: there is no such key"),
        ('"pyenv"]', '"conda"]', r"line 11: providers: 'conda' is not one of"),
        (
            '["distribution", "pyenv"]',
            '["pyenv", "distribution"]',
            r"line 11: providers: they stand in this order",
        ),
        ('["3.13"]', '["3"]', r"line 12: distribution: expected a list that begins with X\.Y"),
        ('["3.13"]', '["3.13", "3.14d"]', r"line 12: distribution: '3\.14d' names no Python"),
        ('suite = "trixie"', 'suite = "-x"', r"line 1: suite: '-x' is no name of a suite"),
        ("size_gib = 8", "size_gib = 8\nbake_seconds = 0", r"line 4: bake_seconds: expected 1"),
        (
            "size_gib = 8",
            "size_gib = 8\nrelease_may_be_old = 1",
            r"line 4: release_may_be_old: expected bool",
        ),
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
