"""Plans: which cells a project gets, with what tool, and what is left out and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.bare_environments import BARE, EACH_PYTHON
from farm_scheduler.errors import PlanError
from farm_scheduler.inference import Inferred, inferred_ini
from farm_scheduler.interpreters import Interpreter, SystemImage, read_request, system_image
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles

VERSIONS = ("2.7.18", "3.6.15", "3.7.16", "3.8.18", "3.9.18", "3.10.13", "3.11.2", "3.12.1", "3.13.0")


def image(*versions: str, name: str = "debian-12") -> SystemImage:
    """An image with these interpreters."""
    rows = [
        {"version": version, "implementation": "CPython", "works": True} for version in versions or VERSIONS
    ]
    return system_image(name, rows)


def plan(texts: dict[str, str], *systems: SystemImage, **narrowing: tuple[str, ...]) -> Plan:
    """The plan of a project with these files."""
    return make_plan(
        ProjectFiles(texts=texts, names=frozenset(texts)), systems or (image(),), Narrowing(**narrowing)
    )


def tox(env_list: str, more: str = "") -> dict[str, str]:
    """A tox.ini."""
    return {"tox.ini": f"[tox]\nenv_list = {env_list}\n{more}"}


def cells(plan: Plan) -> dict[str, tuple[str, ...]]:
    """The environments by label, of cells that want a machine."""
    return {cell.label: cell.environments for cell in plan.runnable}


def unsupported(plan: Plan) -> dict[str, str]:
    """The reasons by label, of cells that want none."""
    return {cell.label: cell.unsupported for cell in plan.cells if cell.unsupported is not None}


def reasons(plan: Plan) -> dict[str | None, str]:
    """Why environments are left out."""
    return {note.environment: note.reason for note in plan.notes}


@pytest.mark.parametrize("name", ["py39999", "pypy31000", "lint-py39999"])
def test_a_python_that_cannot_be_is_left_out(name: str) -> None:
    """A factor that looks like a Python and can be none is no environment of the further cell."""
    found = plan(tox(f"py312, {name}"))
    assert cells(found) == {"py3.12 · debian-12": ("py312",)}
    factor = name.rpartition("-")[2]
    assert reasons(found)[name] == f"unsupported: {factor} is no Python that there could be; correct its name"


def test_a_python_that_cannot_be_is_a_word_beside_another() -> None:
    """With a Python named otherwise such a factor is the project's own word, as it is to tox."""
    found = plan(tox("py39999", "[testenv]\nbase_python = python3.12\n"))
    assert cells(found) == {"py3.12 · debian-12": ("py39999",)}


PLUGGY = tox(
    "docs,py{310,311,312,313,314,py3},py{310}-pytestmain",
    "[testenv]\ndeps =\n  pytestmain: git+https://github.com/pytest-dev/pytest.git@main\n"
    "[testenv:docs]\ndeps = -r{toxinidir}/docs/requirements.txt\n",
)


def test_pluggy_gets_its_cells() -> None:
    """A real configuration: a cell per Python, one for docs, and three reasons."""
    found = plan(PLUGGY)
    assert cells(found) == {
        "py3.10 · debian-12": ("py310",),
        "py3.11 · debian-12": ("py311",),
        "py3.12 · debian-12": ("py312",),
        "py3.13 · debian-12": ("py313",),
        "other · debian-12": ("docs",),
    }
    assert unsupported(found) == {
        "py3.14 · debian-12": "no interpreter in debian-12 fits py314",
        "pypy3 · debian-12": "no interpreter in debian-12 fits pypy3",
    }
    assert [cell.label for cell in found.cells][-3:] == [
        "py3.14 · debian-12",
        "pypy3 · debian-12",
        "other · debian-12",
    ]
    assert reasons(found) == {
        "py310-pytestmain": "unsupported: needs network (git+https://github.com/pytest-dev/pytest.git@main)",
    }
    assert not found.inferred


def test_a_requirement_file_can_need_the_network() -> None:
    """URLs are found through `-r`, relative to the file that names the next one."""
    texts = PLUGGY | {
        "docs/requirements.txt": "# docs\nsphinx\n-r more.txt\n",
        "docs/more.txt": "pluggy @ git+https://example.org/p\n",
    }
    assert reasons(plan(texts))["docs"] == "unsupported: needs network (git+https://example.org/p)"


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("git+https://x/y", True),
        ("-e git+ssh://git@x/y#egg=z", True),
        ("name @ https://x/y.zip", True),
        ("https://x/y.whl", True),
        ("six # see https://x", False),
        ("--index-url https://x/simple", False),
        ("-c https://x/constraints.txt", False),
        ("name>=1; python_version<'3'", False),
    ],
)
def test_urls_are_told_from_requirements(line: str, needs: bool) -> None:
    """Version control and plain URLs need a network that a guest has not; comments and options do not count."""
    found = plan(tox("py311, a", f"[testenv:a]\ndeps =\n    {line}\n"))
    assert ("a" in reasons(found)) is needs


def test_factors_and_base_python_choose_the_cell() -> None:
    """A factor in any form, or base_python, puts an environment in the cell of its Python."""
    more = "[testenv:lint]\nbase_python = python3.12\n[testenv:old]\nbasepython =\n  python3.99\n  py38\n"
    found = plan(tox("py312-a, 3.12, lint, old, py3, py", more))
    assert cells(found) == {
        "py3.8 · debian-12": ("old",),
        "py3.12 · debian-12": ("py312-a", "3.12", "lint"),
        "other · debian-12": ("py3", "py"),
    }


def test_broken_interpreters_are_named() -> None:
    """A Python that did not work in the guest gives an unsupported cell with what was found."""
    broken = Interpreter(python="3.12", version="3.12.1", works=False, reason="lacks ssl")
    system = SystemImage(name="debian-12", interpreters=(broken, *image("3.11.2").interpreters))
    assert unsupported(plan(tox("py311, py312"), system)) == {
        "py3.12 · debian-12": "Python 3.12.1 of debian-12 does not work: lacks ssl"
    }


def test_old_pythons_get_their_tools() -> None:
    """2.7 is driven by tox 3, 3.6 to 3.8 by an older virtualenv, the rest by what is there."""
    found = plan(tox("py27, py36, py38, py39"))
    assert {cell.python: (cell.tool, cell.variables) for cell in found.cells} == {
        "2.7": ("tox3", {}),
        "3.6": ("tox", {"TOX_OVERRIDE": "testenv.virtualenv_spec=virtualenv<20.22"}),
        "3.8": ("tox", {"TOX_OVERRIDE": "testenv.virtualenv_spec=virtualenv<20.22"}),
        "3.9": ("tox", {}),
    }


@pytest.mark.parametrize(
    "texts",
    [
        tox("py27, py311", "min_version = 4.2\n"),
        tox("py27, py311", "requires = tox>=4\n"),
        {"tox.toml": 'env_list = ["py27", "py311"]\n'},
        {"pyproject.toml": '[tool.tox]\nenv_list = ["py27", "py311"]\n'},
    ],
)
def test_a_project_that_needs_tox_4_has_no_cell_for_2_7(texts: dict[str, str]) -> None:
    """Tox 4 cannot run 2.7, and what asks for it says so."""
    found = plan(texts)
    assert list(cells(found)) == ["py3.11 · debian-12"]
    assert "needs tox 4, which cannot run Python 2.7" in unsupported(found)["py2.7 · debian-12"]


def test_dependencies_that_fit_come_along() -> None:
    """The further cell brings all that it depends on, as in one run of tox; what it cannot have is told."""
    more = "[testenv:cover]\ndepends = py3{11,12}, py27, py399\n"
    found = plan(tox("py27, py311, py312, py399, cover", more))
    assert cells(found)["other · debian-12"] == ("py311", "py312", "cover")
    told = [note.reason for note in found.notes if note.environment is None]
    assert told == ["cover runs without py27, py399, on which it depends: not in its machine"]


def test_narrowing_leaves_the_rest_out() -> None:
    """`--python` keeps its cells and says of the rest that it was narrowed away."""
    found = plan(PLUGGY, pythons=("3.11", "py313"))
    assert list(cells(found)) == ["py3.11 · debian-12", "py3.13 · debian-12"]
    assert "narrowed away" in reasons(found)["docs"]
    assert "narrowed away: Python 3.10" in reasons(found)["py310"]


def test_systems_multiply_and_narrow() -> None:
    """Each system has its cells, and `--os` keeps one; what one system has is not left out."""
    systems = (image("3.11.2"), image("3.12.1", name="debian-13"))
    both = plan(tox("py311, py312"), *systems)
    assert list(cells(both)) == ["py3.11 · debian-12", "py3.12 · debian-13"]
    assert (both.notes, len(both.cells)) == ((), 2)
    assert list(cells(plan(tox("py311, py312"), *systems, systems=("debian-13",)))) == ["py3.12 · debian-13"]


@pytest.mark.parametrize(
    ("narrowing", "message"),
    [
        ({"pythons": ("3.99",)}, "no image has Python 3.99; there is 2.7, 3.6"),
        ({"pythons": ("snake",)}, "names no Python; write it as 3.12"),
        ({"systems": ("plan9",)}, "no system is called plan9; there is debian-12"),
        ({"pythons": ("3.9",)}, "nothing is left to run on debian-12"),
    ],
)
def test_a_narrowing_that_selects_nothing_is_told(
    narrowing: dict[str, tuple[str, ...]], message: str
) -> None:
    """A name that is not there, or an empty matrix, is one sentence."""
    with pytest.raises(PlanError, match=message):
        plan(tox("py311"), **narrowing)


SIX = {
    "test_six.py": "import pytest\n",
    "PKG-INFO": "Metadata-Version: 2.1\nName: six\nVersion: 1.17.0\nRequires-Python: >=2.7, !=3.0.*, !=3.6.*\n\n",
}


def test_no_configuration_is_inferred() -> None:
    """Pytest on every Python that requires-python allows, and the notes say so first."""
    found = plan(SIX)
    assert found.inferred
    assert [cell.python for cell in found.cells] == [
        "2.7",
        "3.7",
        "3.8",
        "3.9",
        "3.10",
        "3.11",
        "3.12",
        "3.13",
    ]
    assert found.notes[0].environment is None
    assert found.notes[0].reason == "inferred: pytest, as test_six.py imports pytest"
    assert "requires-python >=2.7, !=3.0.*, !=3.6.* of PKG-INFO" in found.notes[1].reason
    assert reasons(found)["py36"] == "requires-python >=2.7, !=3.0.*, !=3.6.* does not allow it"


def test_the_inferred_text_fits_the_python() -> None:
    """3.12 gets three lines, 3.7 an older virtualenv, 2.7 what tox 3 reads."""
    pytest_alone = Inferred(commands=("pytest {posargs}",), deps=("pytest",))
    assert inferred_ini("3.12", pytest_alone) == (
        "[tox]\nenv_list = py312\n\n[testenv]\ndeps = pytest\ncommands = pytest {posargs}\n"
    )
    assert "virtualenv_spec = virtualenv<20.22\n" in inferred_ini("3.7", pytest_alone)
    assert inferred_ini("2.7", pytest_alone).startswith("[tox]\nenvlist = py27\n")


MODERN = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


@pytest.mark.parametrize(
    ("texts", "allowed"),
    [
        ({"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.12"\n'}, ["3.12", "3.13"]),
        ({"setup.cfg": "[metadata]\nname = x\n[options]\npython_requires = >=3.13\n"}, ["3.13"]),
        ({"setup.py": ""}, MODERN),
        ({"PKG-INFO": "Name: x\nRequires-Python: nonsense\n\n"}, MODERN),
        ({"PKG-INFO": "Name: x\nRequires-Python: ==2.7.*\n\n"}, ["2.7"]),
        ({"PKG-INFO": "Name: x\nClassifier: Programming Language :: Python :: 2.7\n\n"}, ["2.7", *MODERN]),
    ],
)  # fmt: skip
def test_static_metadata_decides(texts: dict[str, str], allowed: list[str]) -> None:
    """Each place that says which Pythons a project needs is read; Python 2 must be named."""
    assert [cell.python for cell in plan(texts).cells] == allowed


def test_a_list_for_no_python_that_is_allowed_runs_what_tox_runs() -> None:
    """Where no Python of the farm is allowed, an empty list has one cell with `py`, as a bare tox would."""
    metadata = '[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.99"\n'
    found = plan({"tox.ini": "[testenv]\ndeps = six\n", "pyproject.toml": metadata})
    assert cells(found) == {"other · debian-12": ("py",)}


def test_a_name_with_two_pythons_is_left_out() -> None:
    """What tox would refuse is left out with that reason, and the rest runs."""
    found = plan(tox("py311, py311-py312"))
    assert list(cells(found)) == ["py3.11 · debian-12"]
    assert "names two Pythons" in reasons(found)["py311-py312"]


@pytest.mark.parametrize(
    ("text", "python", "implementation", "exact"),
    [
        ("py312", "3.12", "cpython", True),
        ("python3.12", "3.12", "cpython", True),
        ("3.9", "3.9", "cpython", True),
        ("27", "2.7", "cpython", True),
        ("/usr/bin/python3.11", "3.11", "cpython", True),
        ("python3", None, "cpython", False),
        ("pypy3", None, "pypy", True),
        ("pypy310", "3.10", "pypy", True),
        ("3.13t", "3.13", "cpython", True),
        ("graalpy", None, "graalpy", True),
    ],
)
def test_pythons_are_read_in_every_spelling(text: str, python: str, implementation: str, exact: bool) -> None:
    """A Python as people, names and settings write it."""
    request = read_request(text)
    assert request is not None
    assert (request.python, request.implementation, request.exact) == (python, implementation, exact)


NAMES = st.sampled_from(["py310", "py311", "py312-a", "docs", "lint", "py399", "pypy3", "3.13", "py", "py3"])


@given(st.lists(NAMES, min_size=1, unique=True), st.lists(st.sampled_from(VERSIONS), min_size=1, unique=True))
def test_every_environment_is_in_a_cell_or_left_out(names: list[str], versions: list[str]) -> None:
    """No environment is lost: each runs exactly once, or has a reason; `py` may be run by other names."""
    try:
        found = plan(tox(", ".join(names)), image(*versions))
    except PlanError:
        return
    placed = [name for cell in found.cells for name in cell.environments]
    placed += [note.environment for note in found.notes if note.environment is not None]
    if any(note.reason == EACH_PYTHON for note in found.notes):
        placed = [name for name in placed if name in names]
        names = [name for name in names if name not in BARE]
    assert sorted(placed) == sorted(names)
