"""What a project says of its dependencies."""

import pytest

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks.project import Project


@pytest.fixture
def project(tmp_path):
    """Reads a pyproject.toml."""

    def read(text):
        (tmp_path / "pyproject.toml").write_text(text)
        return Project.read(tmp_path)

    return read


def test_a_project_table_is_known(project):
    """Name, Pythons, dependencies and extras are what the table says, with names normalised."""
    found = project(
        '[project]\nname = "My_App"\nrequires-python = ">=3.9"\ndependencies = ["six"]\n'
        '[project.optional-dependencies]\nThe_Web = ["flask>=2"]\n'
    )
    assert (found.name, found.requires_python) == ("my-app", ">=3.9")
    assert (found.dependencies, dict(found.extras)) == (("six",), {"the-web": ("flask>=2",)})


def test_what_is_left_out_is_empty_and_what_is_dynamic_is_unknown(project):
    """A table without dependencies has none; a dynamic one, and a project without a table, does not tell."""
    plain = project('[project]\nname = "a"\n')
    assert (plain.dependencies, dict(plain.extras), plain.requires_python) == ((), {}, "")
    dynamic = project('[project]\nname = "a"\ndynamic = ["dependencies", "optional-dependencies"]\n')
    assert (dynamic.dependencies, dynamic.extras) == (None, None)
    poetry = project('[tool.poetry]\nname = "Old.One"\n')
    assert (poetry.name, poetry.dependencies, poetry.requires_python) == ("old-one", None, None)


def test_groups_include_each_other(project):
    """A group has the requirements of those that it includes, each once, by normalised name."""
    found = project(
        '[dependency-groups]\nlint = ["ruff"]\nTest_All = ["pytest", {include-group = "Lint"}, "ruff"]\n'
        '[tool.uv]\ndev-dependencies = ["tox"]\n[tool.pdm.dev-dependencies]\ndocs = ["sphinx"]\n'
    )
    assert dict(found.groups) == {
        "lint": ("ruff",),
        "test-all": ("pytest", "ruff"),
        "dev": ("tox",),
        "docs": ("sphinx",),
    }


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ('a = [{include-group = "b"}]\nb = [{include-group = "a"}]', "includes itself: a > b > a"),
        ('a = [{include-group = "c"}]', "a: includes 'c', which is no group"),
        ("a = [1]", "neither a requirement nor include-group"),
        ('a = "pytest"', "must be a list"),
    ],
)
def test_a_group_that_cannot_be_is_refused(project, groups, told):
    """A cycle, a missing group and a wrong entry are errors that name the group and the file."""
    with pytest.raises(LockFileError, match=told) as refused:
        _ = project(f"[dependency-groups]\n{groups}\n").groups
    assert "pyproject.toml, dependency-groups" in str(refused.value)


def test_a_folder_without_a_project_is_empty(tmp_path):
    """No pyproject.toml and no Pipfile is a project that says nothing."""
    found = Project.read(tmp_path)
    assert (found.name, found.dependencies, dict(found.groups), dict(found.pipfile)) == ("", None, {}, {})


def test_a_broken_file_is_refused_with_its_line(project):
    """What is no TOML is an error that has the file and the line."""
    with pytest.raises(LockFileError, match=r"pyproject\.toml is not TOML: .*line 2"):
        project("[project]\nname = \n")
