"""What Poetry, PDM and hatch are told of tests, where no tox configuration and nothing common to all tools says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from farm_scheduler.inference import infer
from farm_scheduler.poetry_requirements import poetry_requirements
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import read_metadata
from farm_scheduler.requirement_sources import find_needs
from farm_scheduler.runners import find_runner

POETRY = """
[tool.poetry]
name = "demo"
[tool.poetry.group.test.dependencies]
python = "^3.8"
pytest = "^8.1"
attrs = {version = "~23.1", extras = ["tests"], python = ">=3.9,<3.13"}
local = {path = "../local"}
"""


def project(pyproject, **more):
    """A project with a test, and these files."""
    texts = {"pyproject.toml": pyproject, "test_it.py": "def test_it(): pass\n", **more}
    return ProjectFiles(texts=texts, names=frozenset(texts))


def needs(files):
    """What its tests need: requirements, extras, and who says so."""
    found = find_needs(files, read_metadata(files))
    return set(found.requirements), found.extras, found.said


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("~=1.2", "~=1.2"),
        ("1.2.*", "==1.2.*"),
        ("*", ""),
        ("1.2", "==1.2"),
        (">=1.0 <2.0", ">=1.0,<2.0"),
        (">= 1.0, != 1.5", ">=1.0,!=1.5"),
        ("^1.0 || ^2.0", ""),
        ("^1.0b1", ">=1.0b1,<2"),
    ],
)
def test_constraints_of_poetry_are_specifiers(said, wanted):
    """Each notation of Poetry allows the versions that its documentation says."""
    assert list(poetry_requirements({"demo": said})) == [str(Requirement(f"demo{wanted}"))]


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=20) | st.dictionaries(st.text(), st.text())))
def test_any_table_gives_requirements_or_nothing(table):
    """Whatever stands in the table, what comes out is read by pip."""
    for each in poetry_requirements(table):
        Requirement(each)


def test_a_group_of_poetry():
    """A test group of Poetry becomes requirements; its Python is no package, and a path is left out."""
    wanted = {
        "pytest<9,>=8.1",
        'attrs[tests]<23.2,>=23.1; python_version >= "3.9" and python_version < "3.13"',
    }
    assert needs(project(POETRY)) == (wanted, (), ("Poetry's group test",))


def test_old_dev_dependencies_of_poetry():
    """The older table counts where there is no group for tests."""
    files = project('[tool.poetry.dev-dependencies]\npytest = "*"\n')
    assert needs(files) == ({"pytest"}, (), ("Poetry's dev-dependencies",))


def test_a_repository_is_told_apart():
    """A dependency on a repository stays one, so that planning can say that it needs the network."""
    table = {"demo": {"git": "https://example.org/demo.git", "rev": "abc"}}
    assert list(poetry_requirements(table)) == ["demo @ git+https://example.org/demo.git@abc"]


def test_a_group_of_pdm():
    """A test group of PDM is a list of requirements; an editable one is left out."""
    files = project('[tool.pdm.dev-dependencies]\ntest = ["pytest>=8", "-e file:///x"]\nlint = ["ruff"]\n')
    assert needs(files) == ({"pytest>=8"}, (), ("PDM's group test",))


def test_an_environment_of_hatch():
    """Dependencies and features of hatch's test environment count, in pyproject.toml or in hatch.toml."""
    pyproject = '[project]\nname = "demo"\n[project.optional-dependencies]\nfast = ["attrs"]\n'
    own = '[envs.test]\ndependencies = ["pytest"]\nextra-dependencies = ["pytest-cov"]\nfeatures = ["fast"]\n'
    wanted = ({"pytest", "pytest-cov"}, ("fast",), ("hatch's environment test", "hatch's feature fast"))
    assert needs(project(pyproject, **{"hatch.toml": own})) == wanted


def test_the_default_environment_of_hatch_comes_last():
    """Where hatch has no environment for tests, its default one counts."""
    files = project('[tool.hatch.envs.default]\ndependencies = ["pytest"]\n')
    assert needs(files) == ({"pytest"}, (), ("hatch's environment default",))


def test_what_all_tools_read_comes_first():
    """A dependency group of the project wins over the tables of one tool."""
    files = project('[dependency-groups]\ndev = ["pytest"]\n' + POETRY)
    assert needs(files) == ({"pytest"}, (), ("the dependency group dev",))


def test_scripts_of_hatch_name_the_runner():
    """A script of hatch that calls pytest makes pytest the runner of a project of unittest classes."""
    case = "import unittest\nclass Tests(unittest.TestCase): pass\n"
    files = project(
        '[tool.hatch.envs.default.scripts]\ntest = "pytest {args:tests}"\n', **{"test_it.py": case}
    )
    runner = find_runner(files)
    assert (runner.name, runner.reason) == ("pytest", "hatch's script default:test calls pytest")


def test_what_was_inferred_is_said():
    """The note names the tool and the group."""
    files = project(POETRY)
    reasons = infer(files, read_metadata(files)).reasons
    assert reasons == ("pytest, as test_it.py has test functions, with Poetry's group test",)


@pytest.mark.parametrize(
    "tool", ["poetry = 3", "poetry.group = []", "pdm.dev-dependencies = 1", "hatch.envs = []"]
)
def test_nonsense_is_nothing(tool):
    """A table of another shape says nothing, and harms nothing."""
    assert needs(project(f"[tool]\n{tool}\n")) == (set(), (), ())
