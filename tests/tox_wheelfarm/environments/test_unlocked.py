"""The settings of a lock file where none decides: what they name is there all the same, and the rest is told."""

import pytest


@pytest.fixture
def index(index):
    """What a project and its tests need."""
    for version in ("1.0", "2.0"):
        index.release("low", version)
        index.release("runner", version)
    index.release("linter", "1.0")
    return index


@pytest.fixture
def locked(bench):
    """A project with a lock file of older releases."""
    bench.project("low", groups={"dev": ["runner>=1", "linter"]})
    bench.pylock(("low", "1.0"), ("runner", "1.0"), ("linter", "1.0"))
    return bench


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("locked_deps = Runner", ["runner==2.0"]),
        ("poetry_dep_groups = dev", ["linter==1.0", "runner==2.0"]),
        ("install_dev_deps = true", ["linter==1.0", "runner==2.0"]),
        ("install_project_deps = true", ["low==2.0"]),
    ],
)
@pytest.mark.parametrize("how", ["setting", "farm"])
def test_what_the_lock_would_give_is_there_without_it(locked, line, wanted, how):
    """`installer = latest` installs what is named for the lock, whether the project or the farm says so."""
    if how == "farm":
        locked.variables["WHEELFARM_INSTALLER"] = "latest"
        locked.ini("skip_install = true", "installer = lockfile", line)
    else:
        locked.ini("skip_install = true", "installer = latest", line)
    assert locked.passes().packages() == wanted


def test_the_groups_of_poetry_are_known_without_a_lock(bench):
    """Poetry's own words of a group (`^1.0`) are its range."""
    bench.write("pyproject.toml", "[tool.poetry.group.test.dependencies]\nrunner = '^1.0'\n")
    bench.ini("skip_install = true", "installer = latest", "poetry_dep_groups = test")
    assert bench.passes().packages() == ["runner==1.0"]


OLDER = {
    "poetry": ("pyproject.toml", "[tool.poetry.group.test.dependencies]\nrunner = '^1.0'\n"),
    "pdm": ("pyproject.toml", "[tool.pdm.dev-dependencies]\ntest = ['runner<2']\n"),
    "uv": (
        "pyproject.toml",
        "[project]\nname = 'a'\nversion = '1'\n[tool.uv]\ndev-dependencies = ['runner<2']\n",
    ),
    "pipenv": (
        "Pipfile",
        "[packages]\nlow = '*'\n[test]\nrunner = {version = '<2', markers = 'os_name != \"x\"'}\n",
    ),
}


@pytest.mark.parametrize("tool", OLDER)
def test_the_groups_of_every_tool_are_known_to_tox_own_setting(bench, tool):
    """`dependency_groups` names a group of Poetry, PDM, uv or a Pipfile without a lock file, and its change is seen."""
    name, text = OLDER[tool]
    bench.write(name, text)
    group = "dev" if tool == "uv" else "test"
    bench.ini("skip_install = true", "installer = latest", f"dependency_groups = {group}")
    assert bench.passes().packages() == ["runner==1.0"]
    bench.write(name, text.replace("'^1.0'", "'^2.0'").replace("<2", ">=2"))
    assert bench.passes().packages() == ["runner==2.0"]
    bench.ini("skip_install = true", "installer = latest", "dependency_groups = nothere")
    assert "ExtraNotFoundError: dependency_groups: nothere is not in" in bench.fails().said


def test_pre_releases_are_chosen_by_the_command_line_too(bench, index):
    """`tox --pre` is `pip_pre = true` for one run."""
    index.release("low", "3.0a1")
    bench.ini("skip_install = true", "installer = latest", "deps = low")
    assert bench.passes().packages() == ["low==2.0"]
    assert bench.passes("--pre").packages() == ["low==3.0a1"]


@pytest.mark.parametrize("line", ['"six >>> 1"', '{ include-group = "nope" }'])
def test_a_group_that_is_wrong_is_told_where_it_is_asked_for(bench, line):
    """One clear sentence; an environment that does not ask for the group is none the worse."""
    bench.write("pyproject.toml", f"[dependency-groups]\nodd = [{line}]\n")
    bench.ini("skip_install = true", "installer = latest", "deps = low")
    assert bench.passes().packages() == ["low==2.0"]
    bench.ini("skip_install = true", "installer = latest", "dependency_groups = odd")
    assert "LockFileError: " in bench.fails().said


def test_a_pipfile_is_the_project_without_a_lock(bench):
    """What a Pipfile has in `[packages]` and beside it is there with the settings that name it."""
    bench.write("Pipfile", "[packages]\nlow = '<2'\n[dev-packages]\nlinter = '*'\n")
    bench.ini(
        "skip_install = true", "installer = latest", "install_project_deps = true", "install_dev_deps = true"
    )
    assert bench.passes().packages() == ["linter==1.0", "low==1.0"]


def test_a_changed_group_changes_the_environment(locked):
    """What pyproject.toml says of a group is part of what was asked for."""
    locked.ini("skip_install = true", "installer = latest", "poetry_dep_groups = dev")
    locked.passes()
    locked.project("low", groups={"dev": ["runner<2"]})
    assert locked.passes().packages() == ["runner==1.0"]


def test_a_group_that_is_not_there_is_refused(locked):
    """A misspelt group is an error without a lock file too."""
    locked.ini("skip_install = true", "installer = latest", "poetry_dep_groups = dve")
    assert "a: failed with ExtraNotFoundError: poetry_dep_groups: dve is no group of" in locked.fails().said


def test_the_projects_dependencies_may_be_left_out_without_a_lock(locked):
    """`install_project_deps = false` holds with every installer."""
    locked.ini("package = wheel", "installer = latest", "install_project_deps = false")
    assert [line.split(" @")[0] for line in locked.passes().packages()] == ["app"]


def test_what_only_a_lock_file_could_mean_is_told(locked):
    """Settings without a meaning are named; where the farm chose the installer they are no mistake."""
    lines = [
        "lockfile = pylock.toml",
        "require_locked_deps = true",
        "stale_lock = warn",
        "allow_unhashed = low",
    ]
    locked.ini("skip_install = true", "installer = latest", *lines)
    said = locked.passes().said
    for name in ("lockfile", "require_locked_deps", "stale_lock", "allow_unhashed"):
        assert f"{name} means nothing with installer = latest: no lock file is read" in said
    locked.ini("skip_install = true", "installer = lockfile", *lines)
    locked.variables["WHEELFARM_INSTALLER"] = "latest"
    assert "means nothing" not in locked.passes().said
