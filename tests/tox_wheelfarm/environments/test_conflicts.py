"""Conflicts, strays, and how what goes wrong is told."""

import pytest
from uv import find_uv_bin

from tox_wheelfarm.conflicts import find
from tox_wheelfarm.installed import Installed

MARKERS = {"python_version": "3.12", "sys_platform": "linux"}


def world(tmp_path, *told):
    """Distributions, from `name version: requirement, requirement`."""
    found = {}
    for line in told:
        head, _, requires = line.partition(":")
        name, version = head.split()
        lines = tuple(each.strip() for each in requires.split(",,") if each.strip())
        found[name] = Installed(name, version, tmp_path, lines)
    return found


def test_every_conflict_is_found_with_its_whole_chain(tmp_path):
    """Conflicts several levels deep are told with everyone in between, and not only the first."""
    there = world(tmp_path, "a 1: b", "b 2: c>=3,, d", "c 2:", "d 1: e<1", "e 5:")
    told = [str(each) for each in find(there, ["a"], MARKERS)]
    assert told == [
        "c 2 is installed, but a 1 -> b 2 -> c>=3",
        "e 5 is installed, but a 1 -> b 2 -> d 1 -> e<1",
    ]


def test_what_was_asked_for_directly_is_held_too(tmp_path):
    """A requirement of one's own that is not met is a conflict."""
    assert [str(each) for each in find(world(tmp_path, "a 1:"), ["a>=2", "b"], MARKERS)] == [
        "a 1 is installed, but you asked for -> a>=2",
        "b is not installed, but you asked for -> b",
    ]


def test_circles_end(tmp_path):
    """Packages that need each other are walked once."""
    there = world(tmp_path, "a 1: b", "b 1: c", "c 1: a,, b,, d>1", "d 1: d")
    told = [str(each) for each in find(there, ["a"], MARKERS)]
    assert told == ["d 1 is installed, but a 1 -> b 1 -> c 1 -> d>1"]


def test_markers_and_extras_decide_what_is_needed(tmp_path):
    """A requirement under a marker or an extra counts where that holds, and only there."""
    there = world(
        tmp_path,
        "a 1: b[fast],, x; sys_platform == 'win32',, y; python_version >= '3.12'",
        "b 1: z; extra == 'fast',, w; extra == 'slow'",
    )
    assert [each.name for each in find(there, ["a"], MARKERS)] == ["y", "z"]


def test_what_nobody_asked_for_is_checked_too(tmp_path):
    """A stray with a conflict is told, from itself on."""
    there = world(tmp_path, "a 1:", "stray 1: a>2")
    assert [str(each) for each in find(there, ["a"], MARKERS)] == ["a 1 is installed, but stray 1 -> a>2"]


def test_names_are_compared_normalised(tmp_path):
    """Capitals, dots and underlines make no other name."""
    there = world(tmp_path, "a 1: Zope.Interface_X", "zope-interface-x 1:")
    assert find(there, ["A"], MARKERS) == ()


@pytest.fixture
def index(index):
    """Packages that a lock can put together, and that do not fit."""
    index.release("top", "1.0", "middle")
    index.release("middle", "1.0", "low>=2", "other<1")
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("other", "1.0")
    index.release("other", "0.5")
    index.release("stray", "1.0", scripts=("stray-script",))
    return index


LOCKED = (("top", "1.0"), ("middle", "1.0"), ("low", "1.0"), ("other", "1.0"))


def test_an_environment_with_conflicts_fails_and_is_rebuilt(bench):
    """All conflicts are told with their chains, the run fails, and the next one makes the environment anew."""
    bench.pylock(*LOCKED)
    bench.ini("skip_install = true")
    run = bench.fails()
    said = run.said
    assert run.packages() == ["low==1.0", "middle==1.0", "other==1.0", "top==1.0"]
    assert run.environment()["wheelfarm"]["lock"]["path"].endswith("pylock.toml")
    assert "ConflictError: what is installed does not fit together (2 in all)" in said
    assert "low 1.0 is installed, but top 1.0 -> middle 1.0 -> low>=2" in said
    assert "other 1.0 is installed, but top 1.0 -> middle 1.0 -> other<1" in said
    bench.pylock(("top", "1.0"), ("middle", "1.0"), ("low", "2.0"), ("other", "0.5"))
    assert "recreate env because" in bench.passes().said


def test_an_incremental_install_is_checked_too(bench):
    """A change that breaks what was good is told."""
    bench.pylock(("top", "1.0"), ("middle", "1.0"), ("low", "2.0"), ("other", "0.5"))
    bench.ini("skip_install = true")
    bench.passes()
    bench.pylock(("top", "1.0"), ("middle", "1.0"), ("low", "2.0"), ("other", "1.0"))
    assert "other 1.0 is installed, but top 1.0 -> middle 1.0 -> other<1" in bench.fails().said


def test_no_deps_means_that_nobody_checks(bench):
    """With `--no-deps` in deps what is missing is what was wanted."""
    bench.ini("skip_install = true", "deps =", "  top", "  --no-deps")
    assert bench.passes().packages() == ["top==1.0"]


@pytest.mark.parametrize("arguments", [(), ("--notest",), ("-p", "2"), ("-p", "2", "--notest")])
def test_an_error_is_one_message_wherever_it_is(bench, arguments):
    """Run, --notest, one after the other or in parallel: the class's name, the sentence, and a code that is not 0."""
    bench.pylock(*LOCKED)
    bench.ini("skip_install = true", envs="a,b")
    run = bench.fails(*arguments)
    assert run.said.count("ConflictError: what is installed does not fit together") == 2
    assert "congratulations" not in run.said


def test_what_nobody_asked_for_goes_with_its_scripts(bench):
    """A package that no longer stands in deps is gone, and its script as well; the environment stays."""
    bench.ini("skip_install = true", "deps =", "  stray", "  low")
    bench.passes()
    born = bench.born()
    assert (bench.env() / "bin/stray-script").exists()
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes().packages() == ["low==2.0"]
    assert not (bench.env() / "bin/stray-script").exists()
    assert bench.born() == born


def test_what_a_person_put_there_goes_too(bench, index):
    """A package that was installed by hand is pruned by the next run, pip and setuptools not excepted."""
    index.release("setuptools", "99.0")
    bench.ini("skip_install = true", "deps = low")
    bench.passes()
    python = str(bench.env() / "bin/python")
    bench.program(
        [find_uv_bin(), "--no-config", "pip", "install", "--quiet", "--python", python, "stray", "setuptools"]
    )
    assert bench.passes().packages() == ["low==2.0"]


@pytest.mark.parametrize("how", ["flag", "setting"])
def test_strays_may_stay(bench, index, how):
    """With --no-prune, or `prune = false`, what is there stays, and the result tells it, without an origin."""
    bench.ini("skip_install = true", "deps =", "  stray", "  low")
    bench.passes()
    more = ["prune = false"] if how == "setting" else []
    bench.ini("skip_install = true", "deps = low", *more)
    flags = ["--no-prune"] if how == "flag" else []
    assert bench.passes(*flags).packages() == ["low==2.0", "stray==1.0"]
    index.release("setuptools", "99.0")
    install = [find_uv_bin(), "--no-config", "pip", "install", "--quiet", "--python"]
    bench.program([*install, str(bench.env() / "bin/python"), "setuptools"])
    run = bench.passes(*flags)
    assert run.packages() == ["low==2.0", "setuptools==99.0", "stray==1.0"]
    files = {
        file["name"]: (file["version"], bool(file["hash"]))
        for file in run.environment()["wheelfarm"]["files"]
    }
    assert files == {"low": ("2.0", True), "setuptools": ("99.0", False), "stray": ("1.0", False)}
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes().packages() == ["low==2.0"]


def test_no_set_at_all_is_told_with_its_derivation(bench):
    """What cannot be resolved is one message."""
    bench.ini("skip_install = true", "deps =", "  middle", "  low<2")
    said = bench.fails().said
    assert "ResolutionError: " in said
    assert "low>=2" in said


def test_a_setting_that_is_wrong_is_told_with_what_there_is(bench):
    """A misspelt installer is one sentence."""
    bench.ini("skip_install = true", "installer = newest")
    assert "installer = 'newest' is not known: it is one of auto, lockfile, constraints" in bench.fails().said


def test_settings_that_mean_nothing_are_named(bench):
    """What only pip or virtualenv would look at is warned of, with what to write instead."""
    bench.ini("skip_install = true", "install_command = pip install {packages}", "always_copy = true")
    said = bench.passes().said
    assert "install_command means nothing with runner = wheelfarm" in said
    assert "always_copy means nothing with runner = wheelfarm" in said


def test_settings_of_the_command_line_that_mean_nothing_are_named(bench):
    """One given with `-x` is looked at as little."""
    bench.ini("skip_install = true")
    said = bench.passes("-x", "testenv.install_command=pip install {packages}").said
    assert "install_command means nothing with runner = wheelfarm" in said
    assert "--force-dep means nothing" in bench.passes("--force-dep", "low==1.0").said
    bench.variables["PIP_CONSTRAINT"] = str(bench.write("bound.txt", "low==1.0\n"))
    assert "PIP_CONSTRAINT means nothing" in bench.passes().said


def test_variables_that_bind_uv_elsewhere_are_named(bench):
    """What uv or pip would decide by means nothing from `set_env` or outside, and says so; what is off says nothing."""
    told = {
        "UV_EXCLUDE_NEWER": ("2020-01-01", "write cutoff"),
        "UV_RESOLUTION": ("lowest", "write installer = latest or lowest"),
        "UV_REQUIRE_HASHES": ("1", "write --require-hashes in deps"),
        "UV_BUILD_CONSTRAINT": ("bound.txt", "write constraints"),
        "UV_EXCLUDE": ("bound.txt", "what is required is installed"),
        "UV_NO_BUILD": ("true", "write --only-binary in deps"),
        "UV_OFFLINE": ("1", "write offline = always"),
        "PIP_UPLOADED_PRIOR_TO": ("2020-01-01", "write cutoff"),
    }
    lines = "".join(f"\n  {name} = {value}" for name, (value, _) in told.items())
    bench.ini("skip_install = true", "deps = low", f"set_env ={lines}")
    said = bench.passes().said
    for name, (_, instead) in told.items():
        assert f"{name} means nothing with runner = wheelfarm: {instead}" in said
    bench.ini("skip_install = true", "deps = low")
    bench.variables |= {"UV_RESOLUTION": "lowest", "UV_REQUIRE_HASHES": "0", "PIP_PRE": "no"}
    said = bench.passes().said
    assert "UV_RESOLUTION means nothing" in said
    assert said.count("means nothing") == 1
