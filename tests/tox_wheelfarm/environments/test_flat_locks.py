"""Lock files that are one list, with extras and groups in the settings: in the list, or refused."""

import json

import pytest

ASKS = ("package = wheel", "extras = sql", "dependency_groups = test")


@pytest.fixture
def index(index):
    """What a project, its extra and its group need."""
    index.release("low", "1.0")
    index.release("sqlthing", "1.0")
    index.release("sqlthing", "2.0")
    index.release("runner", "1.0")
    return index


@pytest.fixture
def project(bench):
    """A bench with a project that has an extra, one that includes it, and a group."""
    bench.project("low", extras={"sql": ["sqlthing>=2"], "all": ["app[sql]"]}, groups={"test": ["runner"]})
    return bench


def names(run):
    """Of the report, without the project."""
    return [line for line in run.packages() if not line.startswith("app ")]


def test_a_recorded_set_repeats_with_the_same_settings(project):
    """The set of --result-json as a lock file gives the same environment, extras and groups in place."""
    project.ini("installer = latest", *ASKS)
    first = project.passes()
    project.write("pylock.toml", first.environment()["wheelfarm"]["set"])
    project.ini("installer = lockfile", *ASKS)
    assert names(project.passes("--recreate")) == names(first) == ["low==1.0", "runner==1.0", "sqlthing==2.0"]


@pytest.mark.parametrize("extra", ["sql", "all"])
def test_a_requirements_file_that_was_made_with_them_has_them(project, extra):
    """Extras and groups of the project whose requirements the list meets are taken as being in it."""
    project.requirements("low==1.0", "sqlthing==2.0", "runner==1.0")
    project.ini("installer = lockfile", "package = wheel", f"extras = {extra}", "dependency_groups = test")
    assert names(project.passes()) == ["low==1.0", "runner==1.0", "sqlthing==2.0"]


def test_a_group_alone_is_the_whole_list(project):
    """Without the project a group that the list meets brings the list."""
    project.requirements("low==1.0", "runner==1.0")
    project.ini("skip_install = true", "installer = lockfile", "dependency_groups = test")
    assert names(project.passes()) == ["low==1.0", "runner==1.0"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("low==1.0", "runner==1.0"), "has no sqlthing, which the extra 'sql' of the project asks for"),
        (("low==1.0", "runner==1.0", "sqlthing==1.0"), "has sqlthing 1.0, which the extra 'sql'"),
        (("low==1.0", "sqlthing==2.0"), "has no runner, which the group 'test' of the project asks for"),
    ],
)
def test_a_list_that_was_made_without_them_is_refused(project, lines, told):
    """What the list does not have for an extra or a group is named."""
    project.requirements(*lines)
    project.ini("installer = lockfile", *ASKS)
    said = project.fails().said
    assert "ExtraNotFoundError" in said
    assert told in said


@pytest.mark.parametrize("line", ["extras = sqk", "dependency_groups = tset"])
def test_what_the_project_has_not_is_no_part_of_a_list(project, line):
    """A misspelt extra or group is refused as ever."""
    project.requirements("low==1.0", "sqlthing==2.0", "runner==1.0")
    project.ini("installer = lockfile", "package = wheel", line)
    assert project.fails().code != 0


def test_a_pipfile_lock_has_the_extras_of_the_project(project, index):
    """A Pipfile.lock knows categories and no extras: those of pyproject.toml must be met by what it selects."""
    index.release("more", "1.0")
    held = {
        name: {"version": f"=={version}", "hashes": [index.release(name, version)]}
        for name, version in (("low", "1.0"), ("sqlthing", "2.0"))
    }
    lock = {"_meta": {"hash": {"sha256": ""}, "pipfile-spec": 6, "requires": {}, "sources": []}}
    project.write("Pipfile.lock", json.dumps({**lock, "default": held, "develop": {}}))
    project.ini("installer = lockfile", "package = wheel", "extras = sql", "stale_lock = warn")
    assert names(project.passes()) == ["low==1.0", "sqlthing==2.0"]
