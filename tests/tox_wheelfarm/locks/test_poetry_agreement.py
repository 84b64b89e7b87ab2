"""poetry.lock of every generation, selected as poetry itself exports and installs it."""

import pytest
from hypothesis import given, strategies

from tox_wheelfarm.locks.poetry import PoetryLock

from . import recorded

EXTRAS = {"cli", "fast"}
FOLDERS = ["poetry-1.0", "poetry-1.1", "poetry-1.8", "poetry-2.1", "poetry-2.1-standard"]
LOCKS = {folder: recorded.lock(PoetryLock, folder, "poetry.lock") for folder in FOLDERS}
MORE = {"poetry-1.0": {"colorama"}, "poetry-1.8": {"click", "colorama", "h2", "hpack", "hyperframe"}}
"""What these export although only an extra that was not asked for needs it: a development dependency does, too."""

EXPORTS = [(folder, name) for folder in FOLDERS for name in recorded.wishes(folder)]
INSTALLS = [one for one in recorded.installs() if one[0] in FOLDERS]


@given(strategies.sampled_from(EXPORTS), recorded.targets)
def test_it_selects_what_poetry_exports(export, target):
    """For any environment, the set is what poetry's export says when its markers are evaluated there."""
    folder, name = export
    said = recorded.exported(folder, name, target.environment)
    found = recorded.versions(LOCKS[folder].select(target, recorded.wish(name, EXTRAS)))
    agree(found, said, MORE.get(folder, set()))


@pytest.mark.parametrize(("folder", "python", "name"), INSTALLS)
def test_it_selects_what_poetry_installs(folder, python, name):
    """On Linux, the set is what poetry's install put into an environment."""
    had = recorded.installed(folder, python, name)
    found = recorded.versions(LOCKS[folder].select(recorded.target(python), recorded.wish(name, EXTRAS)))
    assert found == had


def test_every_folder_was_recorded():
    """There is an export and an install of each generation to agree with."""
    assert {folder for folder, _ in EXPORTS} == {folder for folder, _, _ in INSTALLS} == set(FOLDERS)


def agree(found, said, more):
    """Names are the same; where poetry gives several versions of a name, ours is one of them."""
    several = any(len(versions) > 1 for versions in said.values())
    missing = set(said) - set(found) - more
    assert several or missing == set()
    assert set(found) <= set(said)
    assert {name: version for name, version in found.items() if version not in said[name]} == {}
