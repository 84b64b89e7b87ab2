"""The environment `py`: run on each Python that the project allows, unless the project chose itself."""

import pytest

from farm_scheduler.bare_environments import EACH_PYTHON
from farm_scheduler.interpreters import system_image
from farm_scheduler.plan import Plan

from .test_planning_cells import cells, image, plan, reasons

PYTHONS = ("3.10.13", "3.11.2", "3.12.1")
PROJECT = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.11"\n'


def planned(tox_ini: str, **more: str) -> Plan:
    """The plan on three Pythons, of which the project allows two."""
    return plan({"tox.ini": tox_ini, "pyproject.toml": PROJECT} | more, image(*PYTHONS))


@pytest.mark.parametrize(
    ("env_list", "expected"),
    [
        ("py", ("py311", "py312")),
        ("", ("py311", "py312")),
        ("py3", ("py311", "py312")),
        ("python", ("py311", "py312")),
        ("py-cov", ("py311-cov", "py312-cov")),
    ],
)
def test_py_is_run_on_each_python(env_list: str, expected: tuple[str, str]) -> None:
    """`py`, or no list at all, becomes an environment for each Python that requires-python allows."""
    found = planned(f"[tox]\nenv_list = {env_list}\n[testenv]\ncommands = pytest\n")
    assert cells(found) == {
        "py3.11 · debian-12": expected[:1],
        "py3.12 · debian-12": expected[1:],
    }
    assert reasons(found)[None] == EACH_PYTHON


def test_the_rest_of_the_list_stays() -> None:
    """Environments that are not for a Python stay in the further cell; conditions on the new names hold."""
    found = planned("[tox]\nenv_list = py, lint\n[testenv]\ndeps =\n  py312: https://example.org/x.zip\n")
    assert cells(found) == {"py3.11 · debian-12": ("py311",), "other · debian-12": ("lint",)}
    assert reasons(found)["py312"] == "unsupported: needs network (https://example.org/x.zip)"


@pytest.mark.parametrize(
    "tox_ini",
    [
        "[tox]\nenv_list = py, py312\n",
        "[tox]\nenv_list = py\n[testenv:py]\ncommands = pytest\n",
        "[tox]\nenv_list = py\n[testenv]\ndeps =\n  py: pytest\n",
        "[tox]\nenv_list = py\n[testenv]\ndeps =\n  !py: pytest\n",
        "[tox]\nenv_list = py\n[testenv]\nbase_python = python3.12\n",
    ],
)
def test_a_project_that_chose_is_left_alone(tox_ini: str) -> None:
    """Where a Python is named, or something is written for `py` itself, `py` stays as it is."""
    found = planned(tox_ini)
    assert "py" in [name for names in cells(found).values() for name in names]
    assert EACH_PYTHON not in reasons(found).values()


def test_the_further_cell_has_a_python_that_is_allowed() -> None:
    """Where requires-python forbids the system's own Python, tox is told of the newest that it allows."""
    rows = [
        {"version": "3.10.13", "works": True, "path": "/usr/bin/python3.10"},
        {"version": "3.11.2", "works": True, "path": "/opt/python/3.11.2/bin/python3.11"},
    ]
    texts = {"tox.ini": "[tox]\nenv_list = docs\n", "pyproject.toml": PROJECT}
    (cell,) = plan(texts, system_image("debian-12", rows)).cells
    assert cell.variables == {"TOX_OVERRIDE": "testenv.default_base_python=python3.11"}
    texts["tox.ini"] += "[testenv:docs]\nskip_install = true\n"
    (cell,) = plan(texts, system_image("debian-12", rows)).cells
    assert cell.variables == {}


def test_free_threaded_builds_are_asked_for() -> None:
    """PyPy and free-threaded builds are run only when the project claims them, or somebody names them."""
    rows = [
        {"version": "3.13.0", "works": True},
        {"version": "3.13.0", "works": True, "threaded": True},
        {"version": "3.11.17", "works": True, "implementation": "pypy"},
    ]
    texts = {"tox.ini": "[tox]\nenv_list = py\n", "pyproject.toml": PROJECT}
    system = system_image("debian-12", rows)
    assert list(cells(plan(texts, system))) == ["py3.13 · debian-12"]
    assert list(cells(plan(texts, system, pythons=("3.13t",)))) == ["py3.13t · debian-12"]
    texts["pyproject.toml"] += 'classifiers = ["Programming Language :: Python :: Implementation :: PyPy"]\n'
    assert list(cells(plan(texts, system))) == ["py3.13 · debian-12", "pypy3.11 · debian-12"]
