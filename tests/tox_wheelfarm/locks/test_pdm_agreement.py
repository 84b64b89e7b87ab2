"""pdm.lock, flat and as a graph, selected as pdm itself exports and installs it."""

import pytest
from hypothesis import given, strategies

from tox_wheelfarm.locks.pdm import PdmLock

from . import recorded

EXTRAS = {"cli", "fast", "all"}
FOLDERS = ["pdm", "pdm-graph", "pdm-2.0"]
LOCKS = {folder: recorded.lock(PdmLock, folder, "pdm.lock") for folder in FOLDERS}
WISHES = recorded.wishes("pdm")
INSTALLS = [one for one in recorded.installs() if one[0] in FOLDERS]


@given(strategies.sampled_from(WISHES), recorded.targets)
def test_it_selects_what_pdm_exports(name, target):
    """For any environment, the set is what pdm's export says when its markers are evaluated there."""
    said = recorded.exported("pdm", name, target.environment)
    found = recorded.versions(LOCKS["pdm"].select(target, recorded.wish(name, EXTRAS)))
    assert {one: {version} for one, version in found.items()} == said


@given(strategies.sampled_from(WISHES), recorded.targets)
def test_the_graph_agrees_with_the_flat_lock(name, target):
    """Without inherited groups and markers, following the requirements gives the same set."""
    wish = recorded.wish(name, EXTRAS)
    flat, graph = (recorded.versions(LOCKS[one].select(target, wish)) for one in ("pdm", "pdm-graph"))
    # The development group asks for colorama everywhere, and a flat lock has one marker for all groups.
    assert {**flat, "colorama": ""} == {**graph, "colorama": ""}
    assert "colorama" in flat or "colorama" not in graph


@pytest.mark.parametrize(("folder", "python", "name"), INSTALLS)
def test_it_selects_what_pdm_installs(folder, python, name):
    """On Linux, the set is what pdm's install put into an environment."""
    had = recorded.installed(folder, python, name)
    found = recorded.versions(LOCKS[folder].select(recorded.target(python), recorded.wish(name, EXTRAS)))
    assert found == had


def test_every_folder_was_recorded():
    """There are installs of each kind of lock to agree with."""
    assert {folder for folder, _, _ in INSTALLS} == set(FOLDERS)
