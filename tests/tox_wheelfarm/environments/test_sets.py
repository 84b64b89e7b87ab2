"""What each way of deciding installs, on real environments."""

import pytest


@pytest.fixture
def index(index):
    """Releases that need each other, older and newer."""
    index.release("top", "1.0", "low>=1")
    index.release("top", "2.0", "low>=1")
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("low", "3.0rc1")
    index.release("tool", "1.0", scripts=("tool",))
    return index


def test_the_newest_releases_are_installed_when_nothing_else_decides(bench):
    """Without a lock file or constraints the newest final releases are installed."""
    bench.ini("skip_install = true", "deps = top")
    assert bench.passes().packages() == ["low==2.0", "top==2.0"]


def test_the_lowest_of_what_is_asked_for_is_installed(bench):
    """With `installer = lowest` what is asked for directly is as old as it may be."""
    bench.ini("skip_install = true", "installer = lowest", "deps = top")
    assert bench.passes().packages() == ["low==2.0", "top==1.0"]


def test_pre_releases_are_a_choice(bench):
    """With `pip_pre` a pre-release is newer than the last final one."""
    bench.ini("skip_install = true", "pip_pre = true", "deps = low")
    assert bench.passes().packages() == ["low==3.0rc1"]


def test_constraints_hold_for_what_nobody_named(bench):
    """A constraint decides the version of what is needed only indirectly."""
    bench.write("upper.txt", "low===1.0\ntop===2.0\n")
    bench.ini("skip_install = true", "constraints = upper.txt", "deps = top")
    run = bench.passes()
    assert run.packages() == ["low==1.0", "top==2.0"]
    assert run.environment()["wheelfarm"]["installer"] == "constraints"


def test_constraints_may_stand_in_the_setting_itself(bench):
    """A line of `constraints` may be a constraint, with a comma in it."""
    bench.ini("skip_install = true", "constraints =", "  low>=1,<2", "deps = top")
    assert bench.passes().packages() == ["low==1.0", "top==2.0"]


def test_constraints_are_asked_for_and_there_are_none(bench):
    """`installer = constraints` without any is one sentence."""
    bench.ini("skip_install = true", "installer = constraints", "deps = top")
    assert "ConstraintsError: installer = constraints, but constraints names no" in bench.fails().said


def test_a_lock_file_is_found_and_installed_as_it_is(bench):
    """A pylock.toml in the project decides without being told, and nothing newer is taken."""
    bench.pylock(("top", "1.0"), ("low", "1.0"))
    bench.ini("skip_install = true")
    run = bench.passes()
    assert run.packages() == ["low==1.0", "top==1.0"]
    assert run.environment()["wheelfarm"]["lock"]["format"] == "pylock"


def test_the_lock_files_name_may_be_told(bench):
    """`lockfile` names one of several."""
    bench.pylock(("low", "1.0"), name="pylock.docs.toml")
    bench.pylock(("low", "2.0"), name="pylock.tests.toml")
    bench.ini("skip_install = true", "lockfile = pylock.docs.toml")
    assert bench.passes().packages() == ["low==1.0"]


def test_toxs_own_pylock_setting_is_honoured(bench):
    """`pylock` of tox is the lock file, and `deps` may stand beside it."""
    bench.pylock(("low", "1.0"), name="pylock.docs.toml")
    bench.pylock(("low", "2.0"), name="pylock.tests.toml")
    bench.ini("skip_install = true", "pylock = pylock.docs.toml")
    assert bench.passes().packages() == ["low==1.0"]


def test_the_farm_chooses_the_installer_by_a_variable(bench):
    """WHEELFARM_INSTALLER is over the setting of every environment."""
    bench.pylock(("top", "1.0"), ("low", "1.0"))
    bench.ini("skip_install = true", "installer = lockfile", "deps = top")
    bench.variables["WHEELFARM_INSTALLER"] = "latest"
    assert bench.passes().packages() == ["low==2.0", "top==2.0"]


def test_the_farm_brings_constraints_and_a_cut_off_by_variables(bench):
    """WHEELFARM_CONSTRAINTS has one entry a line; nothing later than WHEELFARM_CUTOFF is seen."""
    bench.ini("skip_install = true", "deps = top")
    bench.variables |= {"WHEELFARM_INSTALLER": "constraints", "WHEELFARM_CONSTRAINTS": "low<2\ntop<2"}
    assert bench.passes().packages() == ["low==1.0", "top==1.0"]
    bench.variables |= {"WHEELFARM_INSTALLER": "latest", "WHEELFARM_CUTOFF": "2019-01-01T00:00:00Z"}
    assert "ResolutionError" in bench.fails().said


def test_dependency_groups_are_installed(bench):
    """A group of pyproject.toml is resolved with the rest."""
    bench.project(groups={"test": ["top"], "docs": ["tool"]})
    bench.ini("skip_install = true", "dependency_groups = test")
    assert bench.passes().packages() == ["low==2.0", "top==2.0"]


def test_deps_beside_a_lock_are_resolved_around_it(bench):
    """What the lock decides is a bound for `deps`, and never changed by them."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", "installer = lockfile", "deps = top")
    assert bench.passes().packages() == ["low==1.0", "top==2.0"]


def test_a_lock_that_is_only_found_is_not_put_beside_deps(bench):
    """An environment without the project that names deps gets these, and not what the project needs."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true", "deps = tool")
    assert bench.passes().packages() == ["tool==1.0"]


def test_the_seeds_that_are_asked_for_are_installed(bench, index):
    """An environment has neither pip nor setuptools unless `seed` names them."""
    index.release("pip", "99.0")
    bench.ini("skip_install = true", "seed = pip", "deps = tool")
    assert bench.passes().packages() == ["pip==99.0", "tool==1.0"]


def test_the_script_of_a_package_is_run_by_name(bench):
    """Commands find the scripts of the environment."""
    bench.ini("skip_install = true", "deps = tool", "commands = tool")
    assert "1.0" in bench.passes("-vv").said


def test_the_runner_is_chosen_for_a_project_that_names_none(bench):
    """`--runner wheelfarm` and WHEELFARM_TOX=1 both make it the default runner."""
    bench.write("tox.ini", "[testenv]\nskip_install = true\ndeps = tool\ncommands = tool\n[testenv:{a,b}]\n")
    assert "wheelfarm" in bench.passes("-e", "a", "--runner", "wheelfarm").environment()
    bench.variables["WHEELFARM_TOX"] = "1"
    assert "wheelfarm" in bench.passes("-e", "b").environment("b")


def test_the_flags_of_deps_are_understood(bench):
    """`-r` and `-c` lines of `deps` are read, nested ones too, and `--no-deps` is meant."""
    bench.write("more.txt", "-r even.txt\n")
    bench.write("even.txt", "top\n")
    bench.write("bound.txt", "low<2\n")
    bench.ini("skip_install = true", "deps =", "  -r more.txt", "  -c bound.txt")
    assert bench.passes().packages() == ["low==1.0", "top==2.0"]
    bench.ini("skip_install = true", "deps =", "  -r more.txt", "  --no-deps")
    assert bench.passes().packages() == ["top==2.0"]
