"""Constraints that exclude what is asked for: both sides are named, with where each stands."""

import re
from dataclasses import replace

import pytest

from tox_wheelfarm.errors import ConstraintsError, InstallFailedError, ResolutionError
from tox_wheelfarm.resolution import Folder, resolve
from tox_wheelfarm.uv import Offline


def refused(question, uv):
    """What is said of a question that constraints exclude."""
    with pytest.raises(ConstraintsError) as raised:
        resolve(question, uv)
    return str(raised.value)


def test_a_requirement_and_its_constraint_are_named(index, uv, ask, constrain):
    """Both sides are named with where they stand, and neither uv nor the network is needed for that."""
    path = constrain("# first\npear==1\napple===1.0  # pinned\n")
    said = refused(ask("apple>=2  # tox.ini line 7", constraints=(path,)), uv)
    assert f"`apple>=2` (tox.ini line 7) against `apple===1.0` ({path} line 3)" in said
    assert index.asked == []


def test_every_pair_is_named(uv, ask, constrain):
    """All pairs that exclude one another are told, not only the first."""
    path = constrain("apple===1.0\npear===1.0\n")
    said = refused(ask("apple>=2", "pear>=2", constraints=(path,)), uv)
    assert len(re.findall(" against ", said)) == 2


def test_a_constraint_for_another_python_does_not_count(index, uv, ask, constrain):
    """Markers of both sides are evaluated for the interpreter that the set is for."""
    index.release("apple", "2.0")
    path = constrain('apple===1.0; python_version < "3"\napple===2.0; python_version >= "3"\n')
    question = ask("apple>=2", 'apple<2; python_version < "3"', constraints=(path,))
    assert [pin.version for pin in resolve(question, uv).pins] == ["2.0"]


def test_a_marker_is_evaluated_for_the_other_interpreter(uv, ask, constrain, old_python):
    """A constraint for the named interpreter counts, though it would not for the one that runs."""
    path = constrain('apple===1.0; python_version < "3.9"\n')
    question = replace(ask("apple>=2", constraints=(path,)), python=old_python)
    assert "`apple>=2`" in refused(question, uv)


def test_a_dependency_of_a_folder_is_named_with_its_line(uv, ask, constrain, project):
    """A static dependency of a project, also one of an extra through another extra, is named with its line."""
    folder = project(
        dependencies=["Apple>=2"],
        extras={"mysql": ["pear>=3"], "all": ["toyproject[mysql]"], "no": ["plum>3"]},
    )
    path = constrain("apple===1.0\npear===2.0\nplum===1\n")
    said = refused(ask(folders=[Folder(folder, ("all",))], constraints=(path,)), uv)
    assert f"`Apple>=2` ({folder / 'pyproject.toml'} line 9) against `apple===1.0`" in said
    assert f"`pear>=3` ({folder / 'pyproject.toml'} line 12) against" in said
    assert "plum" not in said


def test_two_constraints_that_exclude_one_another_are_named(uv, ask, constrain):
    """Two files that pin one name differently are both named."""
    first, second = constrain("apple===1.0\n"), constrain("apple===1.1\n", "d.txt")
    said = refused(ask("apple", constraints=(first, second)), uv)
    assert str(first) in said
    assert str(second) in said


def test_a_transitive_exclusion_names_both_sides(index, uv, ask, constrain):
    """What a dependency needs is named against the constraint that excludes it."""
    index.release("apple", "1.0", "pear>=2")
    for version in ("1.0", "2.0"):
        index.release("pear", version)
    path = constrain("pear===1.0\n")
    said = refused(ask("apple==1.0", constraints=(path,)), uv)
    assert re.search(rf"apple(==1\.0)? needs `pear>=2`, and `pear===1.0` \({path} line 1\) is not that", said)


def test_a_constraint_to_a_release_that_is_not_there_is_named(index, uv, ask, constrain):
    """A version that no index has is told as the constraint's doing."""
    index.release("apple", "1.0")
    path = constrain("\n\napple===9.9\n")
    assert f"`apple===9.9` ({path} line 3) takes part" in refused(ask("apple", constraints=(path,)), uv)


def test_no_set_without_constraints_is_not_their_doing(index, uv, ask, constrain):
    """Where no set exists without the constraints either they are not blamed."""
    index.release("apple", "1.0", "pear>=9")
    index.release("pear", "1.0")
    with pytest.raises(ResolutionError):
        resolve(ask("apple", constraints=(constrain("pear===1.0\n"),)), uv)


def test_a_hash_in_a_constraint_chooses_the_files(index, uv, ask, constrain):
    """A constraint with hashes leaves only the files that have one of them, in the pins and in the record."""
    index.release("apple", "1.0")
    index.source("apple", "1.0")
    wheel, source = index.files["apple"]
    path = constrain(f"apple==1.0 --hash=sha256:{wheel.sha256}\n")
    resolution = resolve(ask("apple", constraints=(path,)), uv)
    assert resolution.pins[0].hashes == (f"sha256:{wheel.sha256}",)
    assert wheel.sha256 in resolution.pylock
    assert source.sha256 not in resolution.pylock
    wrong = constrain(f"apple==1.0 --hash=sha256:{'0' * 64}\n", "wrong.txt")
    assert f"({wrong} line 1)" in refused(ask("apple", constraints=(wrong,)), uv)


def test_builds_are_bound_too(index, uv, ask, constrain):
    """A constraint binds what an sdist is built with: the older backend is used, not the newest."""
    index.source("apple", "1.0", builds_with=["tool"], backend="tool")
    for version, fails in (("1.0", False), ("2.0", True)):
        index.backend("tool", version, fails=fails)
    with pytest.raises(InstallFailedError, match="too new"):
        resolve(ask("apple"), uv)
    bound = resolve(ask("apple", constraints=(constrain("tool===1.0\n"),)), uv)
    assert [pin.name for pin in bound.pins] == ["apple"]


def test_builds_are_bound_when_uv_installs(index, uv, constrain, tmp_path, python):
    """Uv with constraints binds the builds of an install as well."""
    index.source("apple", "1.0", builds_with=["tool"], backend="tool")
    for version, fails in (("1.0", False), ("2.0", True)):
        index.backend("tool", version, fails=fails)
    online = replace(uv, offline=Offline.NEVER)
    online.run(["venv", "--python", python, "env"], cwd=tmp_path)
    install = ["pip", "install", "--python", "env", "apple"]
    with pytest.raises(InstallFailedError, match="too new"):
        online.run(install, cwd=tmp_path)
    replace(online, constraints=(constrain("tool===1.0\n"),)).run(install, cwd=tmp_path)
    assert list(tmp_path.glob("env/lib/*/site-packages/apple.py"))
