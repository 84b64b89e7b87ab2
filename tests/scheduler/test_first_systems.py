"""Several systems: each Python once on the first that has it, or on every one that is named; and what must be baked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_images.errors import ImageError
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.prospect import look_ahead

OLD = ("3.11.2", "3.12.1")
NEW = ("3.12.9", "3.14.7", "3.14.7t", "pypy3.11.13")


def image(name: str, *versions: str, baked: bool = True) -> SystemImage:
    """An image with these interpreters, written as `3.12.1`, `3.14.0t`, `pypy3.11.13`."""
    rows = [
        {
            "version": version.removeprefix("pypy").removesuffix("t"),
            "implementation": "PyPy" if version.startswith("pypy") else "CPython",
            "threaded": version.endswith("t"),
            "works": True,
        }
        for version in versions
    ]
    return system_image(name, rows, baked=baked)


SYSTEMS = (image("debian-12", *OLD), image("forky", *NEW))


def files(env_list: str = "", more: str = "", **texts: str) -> ProjectFiles:
    """A project with a tox.ini, or without when nothing is listed."""
    named = {name.replace("_DOT_", "."): text for name, text in texts.items()}
    if env_list:
        named["tox.ini"] = f"[tox]\nenv_list = {env_list}\n{more}"
    return ProjectFiles(texts=named, names=frozenset(named))


def labels(plan: Plan) -> dict[str, tuple[str, ...] | str]:
    """The environments, or why not, by label."""
    return {cell.label: cell.unsupported or cell.environments for cell in plan.cells}


EVERYTHING = "docs, py311, py312, py314, py314t, pypy3, py39"


def test_each_python_runs_once_on_the_first_system_that_has_it() -> None:
    """What two systems have runs on the first, what none has is one cell, and the rest runs on the first system."""
    assert labels(make_plan(files(EVERYTHING), SYSTEMS, Narrowing())) == {
        "py3.9 · debian-12": "no interpreter in debian-12 or forky fits py39",
        "py3.11 · debian-12": ("py311",),
        "py3.12 · debian-12": ("py312",),
        "py3.14 · forky": ("py314",),
        "py3.14t · forky": ("py314t",),
        "pypy3.11 · forky": ("pypy3",),
        "other · debian-12": ("docs",),
    }


@pytest.mark.parametrize("named", [("all",), ("forky", "debian-12"), ("all", "forky")])
def test_named_systems_are_multiplied(named: tuple[str, ...]) -> None:
    """With `--os` each system has all of its cells."""
    found = make_plan(files("docs, py312, py314"), SYSTEMS, Narrowing(systems=named))
    assert [cell.label for cell in found.runnable] == [
        "py3.12 · debian-12",
        "other · debian-12",
        "py3.12 · forky",
        "py3.14 · forky",
        "other · forky",
    ]


def test_declared_systems_are_multiplied() -> None:
    """A project that names systems in its declaration has each Python on each of them."""
    declared = '[tool.wheelfarm]\nsystems = ["debian-12", "forky"]\n'
    found = make_plan(files("py312", pyproject_DOT_toml=declared), SYSTEMS, Narrowing())
    assert list(labels(found)) == ["py3.12 · debian-12", "py3.12 · forky"]


def test_what_is_included_by_system_runs_there_too() -> None:
    """An `include` with a system adds that place to the first."""
    declared = '[tool.wheelfarm]\ninclude = [{python = "3.12", system = "forky"}]\n'
    found = make_plan(files("py311, py312", pyproject_DOT_toml=declared), SYSTEMS, Narrowing())
    assert list(labels(found)) == ["py3.11 · debian-12", "py3.12 · debian-12", "py3.12 · forky"]


def test_the_cell_of_the_rest_keeps_what_it_depends_on() -> None:
    """Dependencies come along from the first system, also those that have a cell of their own."""
    found = make_plan(
        files("py312, py314, cover", "[testenv:cover]\ndepends = py312, py314\n"), SYSTEMS, Narrowing()
    )
    assert labels(found)["other · debian-12"] == ("py312", "cover")
    assert "other · forky" not in labels(found)


def test_claimed_and_absent_is_one_cell() -> None:
    """A classifier that no system can serve is told once."""
    metadata = "Name: x\nClassifier: Programming Language :: Python :: 3.10\n\n"
    texts = {"tox.ini": "[tox]\nenv_list = py312\n", "PKG-INFO": metadata}
    found = make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), SYSTEMS, Narrowing())
    assert [cell.label for cell in found.cells if cell.unsupported] == ["py3.10 · debian-12"]


def test_an_inferred_project_runs_each_python_once() -> None:
    """Without tox configuration the same holds; PyPy and free-threaded builds only if claimed, declared or asked."""
    texts = {"setup.py": "", "test_x.py": "import pytest\n"}
    plain = make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), SYSTEMS, Narrowing())
    assert list(labels(plain)) == ["py3.11 · debian-12", "py3.12 · debian-12", "py3.14 · forky"]
    texts["pyproject.toml"] = '[tool.wheelfarm]\npythons = ["3.14t", "pypy3.11"]\n'
    found = make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), SYSTEMS, Narrowing())
    assert list(labels(found)) == ["py3.14t · forky", "pypy3.11 · forky"]
    del texts["pyproject.toml"]
    asked = Narrowing(pythons=("pypy3", "3.14t"))
    found = make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), SYSTEMS, asked)
    assert list(labels(found)) == ["py3.14t · forky", "pypy3.11 · forky"]
    metadata = "Name: x\nClassifier: Programming Language :: Python :: Free Threading :: 2 - Beta\n\n"
    texts["PKG-INFO"] = metadata
    found = make_plan(ProjectFiles(texts=texts, names=frozenset(texts)), SYSTEMS, Narrowing())
    assert labels(found)["py3.14t · forky"] == ("py314t",)
    assert "env_list = py314t" in str(next(c.inferred for c in found.cells if c.python == "3.14t"))


@pytest.mark.parametrize("asked", ["3.14t", "py314t", "314t"])
def test_free_threaded_is_another_python(asked: str) -> None:
    """A free-threaded build answers to its own name only, and the plain one never to it."""
    found = make_plan(files("py314, py314t"), SYSTEMS, Narrowing(pythons=(asked,)))
    assert labels(found) == {"py3.14t · forky": ("py314t",)}
    with pytest.raises(PlanError, match=r"no image has Python 3\.12t"):
        make_plan(files("py312"), SYSTEMS, Narrowing(pythons=("3.12t",)))


def test_only_needed_images_are_missing() -> None:
    """An image that no cell needs is not asked for; those of recipes count as what may be had."""
    systems = (image("debian-12", "3.11", baked=False), image("debian-13", "3.13", baked=False), SYSTEMS[1])
    assert look_ahead(files("py311, py314"), systems, Narrowing()).missing == ("debian-12",)
    assert look_ahead(files("py314"), systems, Narrowing()).missing == ()
    assert look_ahead(files("py311"), systems, Narrowing(systems=("all",))).missing == ("debian-12",)


def test_a_recipe_may_be_allowed_by_any_release() -> None:
    """What is not started yet has no micro version, and is not refused for one."""
    texts = {
        "tox.ini": "[tox]\nenv_list = py311\n",
        "pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.11.4"\n',
    }
    systems = (image("debian-12", "3.11", baked=False),)
    found = look_ahead(ProjectFiles(texts=texts, names=frozenset(texts)), systems, Narrowing())
    assert found.missing == ("debian-12",)


def test_an_image_that_failed_leaves_the_rest_alone() -> None:
    """The run goes on without it, with a note, unless it was named or nothing is left."""
    systems = (SYSTEMS[0], image("forky", "3.12", "3.14", baked=False))
    failed = {"forky": "no room"}
    found = look_ahead(files("py312, py314"), systems, Narrowing(), failed)
    assert found.missing == ()
    assert found.plan.notes[0].reason == "the image forky could not be baked: no room"
    assert labels(found.plan)["py3.14 · debian-12"] == "no interpreter in debian-12 fits py314"
    for narrowing in (Narrowing(systems=("forky",)), Narrowing(pythons=("3.14",))):
        with pytest.raises(ImageError, match="could not be baked: no room"):
            look_ahead(files("py312, py314"), systems, narrowing, failed)


NAMES = st.sampled_from(["py311", "py312", "py312-a", "py314", "py314t", "docs", "lint", "py39", "pypy3"])


@given(st.lists(NAMES, min_size=1, unique=True))
def test_every_environment_runs_once(names: list[str]) -> None:
    """Over several systems no environment is lost and none runs twice."""
    found = make_plan(files(", ".join(names)), SYSTEMS, Narrowing())
    assert sorted(name for cell in found.cells for name in cell.environments) == sorted(names)
