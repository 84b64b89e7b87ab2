"""Lock files in environments: what is taken from them, and what is refused."""

import pytest


@pytest.fixture
def index(index):
    """A project's world."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("runner", "1.0", "plugin", "low")
    index.release("plugin", "1.0")
    index.release("linter", "1.0")
    index.release("docs-tool", "1.0")
    index.release("extra-thing", "1.0")
    return index


@pytest.fixture
def locked(bench):
    """A project that uv itself has locked."""
    bench.project(
        "low<2",
        extras={"fast": ["extra-thing"]},
        groups={"dev": ["runner", "linter"], "docs": ["docs-tool"]},
    )
    bench.lock()
    return bench


def names(run):
    """Of the report, without the project."""
    return [line.split("==")[0] for line in run.packages() if not line.startswith("app ")]


def test_the_projects_own_dependencies_come_from_the_lock(locked):
    """With the project come what it needs and the extras that are asked for."""
    locked.ini("package = wheel", "extras = fast")
    assert names(locked.passes()) == ["extra-thing", "low"]


def test_locked_deps_bring_what_they_need_and_no_more(locked):
    """A name takes its release and all that it needs from the lock file."""
    locked.ini("skip_install = true", "locked_deps = Runner")
    run = locked.passes()
    assert run.packages() == ["low==1.0", "plugin==1.0", "runner==1.0"]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("dependency_groups = docs", ["docs-tool"]),
        ("poetry_dep_groups = docs", ["docs-tool"]),
        ("install_dev_deps = true", ["docs-tool", "linter", "low", "plugin", "runner"]),
    ],
)
def test_groups_come_from_the_lock(locked, line, wanted):
    """Groups by either setting, and all development dependencies at once."""
    locked.ini("skip_install = true", line)
    assert set(names(locked.passes())) <= set(wanted)
    assert "docs-tool" in names(locked.passes()) or "install_dev_deps" in line


def test_the_projects_dependencies_may_be_left_out(locked):
    """`install_project_deps = false` installs the project alone, and nobody complains of what it lacks."""
    locked.ini("package = wheel", "install_project_deps = false")
    assert names(locked.passes()) == []


def test_a_misspelt_locked_dep_is_an_error(locked):
    """A name that the lock file does not have is refused."""
    locked.ini("skip_install = true", "locked_deps = runer")
    assert "LockedDepNotFoundError" in locked.fails().said


@pytest.mark.parametrize("word", ["runner==1.0", "runner==1.*", "runner>=1"])
def test_a_locked_dep_with_a_version_is_an_error(locked, word):
    """Only the lock file says versions, and `==1.*` is no version at all."""
    locked.ini("skip_install = true", f"locked_deps = {word}")
    assert "LockedDepVersionConflictError: locked_deps: " in locked.fails().said


def test_a_misspelt_group_is_an_error(locked):
    """A group that is not there is refused."""
    locked.ini("skip_install = true", "poetry_dep_groups = dosc")
    assert "ExtraNotFoundError" in locked.fails().said


def test_everything_locked_is_required(locked):
    """With `require_locked_deps` a dependency in deps is refused by name."""
    locked.ini("skip_install = true", "require_locked_deps = true", "deps = linter")
    said = locked.fails().said
    assert "LockedDepsRequiredError: require_locked_deps is set, but no lock file decides linter" in said


def test_a_dependency_that_the_lock_excludes_is_told_with_the_lock(locked):
    """A line of deps against a release of the lock file names both, and the file by its own name."""
    locked.ini("skip_install = true", "locked_deps = runner", "deps = low>=2")
    said = locked.fails().said
    assert "ConstraintsError: constraints exclude what is asked for:" in said
    assert f"`low>=2` (the environment) against `low==1.0` ({locked.root / 'uv.lock'})" in said


def test_a_lock_that_does_not_match_is_told_with_what_differs(locked):
    """A changed pyproject.toml makes the lock stale; `stale_lock = warn` only says so."""
    locked.project("low<2", "linter", groups={"dev": ["runner", "linter"], "docs": ["docs-tool"]})
    locked.ini("skip_install = true", "locked_deps = runner")
    said = locked.fails().said
    assert "StaleLockError" in said
    assert "linter" in said
    locked.ini("skip_install = true", "locked_deps = runner", "stale_lock = warn")
    assert "does not match the project" in locked.passes().said


def test_a_file_with_another_hash_is_not_installed(bench, index):
    """What the index serves now must be what was locked."""
    bench.requirements("low==1.0")
    index.files["low"].clear()
    index.release("low", "1.0", code="import os  # not what was locked\n")
    bench.ini("skip_install = true", "lockfile = requirements.txt")
    assert "InstallFailedError" in bench.fails().said


def test_a_hash_that_is_missing_is_refused_by_name(bench):
    """Every package without a hash is named; `allow_unhashed` lets named ones in."""
    text = bench.requirements("low==1.0").read_text("utf-8")
    bench.write("requirements.txt", f"{text}plugin==1.0\nlinter==1.0\n")
    bench.ini("skip_install = true", "lockfile = requirements.txt")
    said = bench.fails().said
    assert "HashMissingError" in said
    assert "allow_unhashed = linter, plugin" in said
    bench.ini("skip_install = true", "lockfile = requirements.txt", "allow_unhashed = plugin")
    allowed = "allow_unhashed = linter, plugin"
    assert allowed in bench.fails().said  # whole, so that the line can be copied
    bench.ini("skip_install = true", "lockfile = requirements.txt", allowed)
    assert names(bench.passes()) == ["linter", "low", "plugin"]


def test_a_lock_file_that_is_not_there_is_told(bench):
    """`installer = lockfile` without one is one sentence with what it can be."""
    bench.ini("skip_install = true", "installer = lockfile")
    assert "LockFileError: " in bench.fails().said


def test_a_lock_file_that_is_no_lock_file_is_told(bench):
    """Nonsense is one sentence that names the file."""
    bench.write("pylock.toml", "this is [ no TOML")
    bench.ini("skip_install = true")
    said = bench.fails().said
    assert "LockFileError" in said
    assert "pylock.toml" in said


def test_poetry_is_required_only_where_it_is_asked_for(bench):
    """With `--require-poetry` and no poetry the environment fails."""
    bench.ini("skip_install = true")
    bench.passes()
    assert "PoetryNotInstalledError: --require-poetry was given" in bench.fails("--require-poetry").said
    bench.ini("skip_install = true", "require_poetry = true")
    said = bench.fails().said
    assert "PoetryNotInstalledError: require_poetry = true was given" in said
    assert "flag" not in said


def test_a_release_of_setuptools_that_no_lock_gives_is_named(bench, index):
    """What needs setuptools under a lock file that leaves it out is an error of its own."""
    index.release("old-thing", "1.0", "setuptools")
    bench.pylock(("old-thing", "1.0"))
    bench.ini("skip_install = true")
    assert "RequiresUnsafeDepError" in bench.fails().said


def test_setuptools_in_a_lock_file_is_installed(bench, index):
    """What older tools call unsafe is a release like any other."""
    index.release("setuptools", "70.0")
    index.release("old-thing", "1.0", "setuptools")
    bench.pylock(("old-thing", "1.0"), ("setuptools", "70.0"))
    bench.ini("skip_install = true")
    assert bench.passes().packages() == ["old-thing==1.0", "setuptools==70.0"]


def test_a_changed_lock_changes_the_environment_in_place(bench):
    """Another release in the lock file is installed, and what it dropped goes."""
    bench.pylock(("low", "1.0"), ("plugin", "1.0"))
    bench.ini("skip_install = true")
    bench.passes()
    born = bench.born()
    bench.pylock(("low", "2.0"))
    assert bench.passes().packages() == ["low==2.0"]
    assert bench.born() == born


def test_the_report_says_what_decided(bench):
    """The record names the lock file with its hash, and where each file came from."""
    path = bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    told = bench.passes().environment()["wheelfarm"]
    assert told["lock"]["path"] == str(path)
    assert told["files"][0]["file"] == "low-1.0-py3-none-any.whl"
    assert told["files"][0]["hash"].startswith("sha256:")


def test_a_report_that_is_asked_for_later_is_whole(bench):
    """A run that changes nothing reports what an earlier one without a report installed."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    assert bench.tox(reports=False).code == 0
    born = bench.born()
    told = bench.passes().environment()["wheelfarm"]
    assert told["files"][0]["file"] == "low-1.0-py3-none-any.whl"
    assert told["lock"]["format"] == "pylock"
    assert bench.born() == born
