"""A matrix of which nothing is left: the sentence names what took it away, and what to do about that."""

import pytest

from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import system_image
from farm_scheduler.plan import Narrowing
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles

VERSIONS = ("2.7.18", "3.6.15", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.2", "3.12.1")
ON = "nothing is left to run on debian-12"
PROJECT = "[project]\nname = 'x'\nversion = '1'\n"
EXCLUDED = "[tool.wheelfarm]\npythons = ['3.11']\nexclude = [{python = '3.11'}]\n"


def said(pyproject: str = PROJECT, tox: str | None = None, **narrowing: tuple[str, ...]) -> str:
    """The sentence for a project with these files."""
    texts = {"pyproject.toml": pyproject} | ({"tox.ini": tox} if tox else {})
    image = system_image("debian-12", [{"version": version, "works": True} for version in VERSIONS])
    with pytest.raises(PlanError) as found:
        make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), [image], Narrowing(**narrowing))
    return found.value.sentence


def test_what_the_project_excludes_comes_first() -> None:
    """The exclusion is named, and not what the project never named."""
    why = "py311: [tool.wheelfarm] excludes py3.11 · debian-12"
    assert said(PROJECT + EXCLUDED) == f"{ON} ({why}); correct [tool.wheelfarm]"


def test_an_exclusion_is_told_under_a_narrowing_too() -> None:
    """Who asks for what the project excludes hears of the exclusion, and of both ways out."""
    why = "py311: [tool.wheelfarm] excludes py3.11 · debian-12"
    assert said(PROJECT + EXCLUDED, pythons=("3.11",)) == (
        f"{ON} ({why}); correct [tool.wheelfarm], or drop --python"
    )


def test_a_bound_that_nothing_meets_is_told_once() -> None:
    """Many Pythons with one reason are one part of the sentence, and no image is offered for choice."""
    names = "py27, py36, py37, py38 and 4 more"
    assert said(PROJECT + "requires-python = '>=4'\n") == (
        f"{ON} ({names}: requires-python >=4 does not allow it); "
        "`wheelfarm images` lists the Pythons that there are"
    )


def test_of_what_was_asked_for_the_reason_is_told() -> None:
    """Under --python only the reason of that Python counts."""
    assert said(PROJECT + "requires-python = '>=3.9'\n", pythons=("3.8",)) == (
        f"{ON} (py38: requires-python >=3.9 does not allow it); drop --python"
    )
    assert said(tox="[tox]\nenv_list = py311\n", pythons=("3.12",), systems=("debian-12",)) == (
        f"{ON} (py311: narrowed away: Python 3.11, and --python asks for 3.12); drop --python or --os"
    )


def test_a_list_of_environments_that_cannot_run_is_told() -> None:
    """Without anything narrowed or excluded it is the list that is to be mended."""
    tox = "[tox]\nenv_list = docs\n[testenv:docs]\ndeps = https://x/y.zip\n"
    assert said(tox=tox) == (
        f"{ON} (docs: unsupported: needs network (https://x/y.zip)); correct the list of environments"
    )
