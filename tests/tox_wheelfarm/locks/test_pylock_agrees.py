"""pylock.toml of pdm, pip and uv is selected as its own tool does it, by export and by install."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import platforms
from tox_wheelfarm.locks.wish import Wish

EXPORTS = [
    (project, export)
    for project in ("pylock_pdm", "pylock_uv")
    for export in json.loads((Path(__file__).parent / "files" / project / "export.json").read_text())
]


def _key(asked):
    return f"{asked.name}=={next(iter(asked.specifier)).version}" if asked.specifier else str(asked.url)


def _pinned(pin):
    below = f"#subdirectory={pin.subdirectory}" if pin.subdirectory else ""
    return pin.reference + below if pin.reference else f"{pin.name}=={pin.version}"


@settings(max_examples=150)
@given(data=st.data())
def test_the_selection_is_that_of_the_tools_export(data, committed, read, targets):
    """For any target, extras and groups the set is what the tool that wrote the file exports, its markers evaluated."""
    project, export = data.draw(st.sampled_from(EXPORTS))
    target = data.draw(targets)
    wish = Wish(extras=frozenset(export.get("extras", ())), groups=frozenset(export.get("groups", ())))
    asked = [Requirement(line) for line in export["lines"]]
    environment = dict(target.environment)
    wanted = {_key(each) for each in asked if not each.marker or each.marker.evaluate(environment)}
    ours = _selected(read(committed(project), "pylock.toml"), target, wish)
    if isinstance(ours, str):  # what an export does not know: no file of a release for this target
        assert "No wheel found matching the provided tags" in ours
        return
    assert ours == wanted


def _selected(lock, target, wish):
    try:
        return {_pinned(pin) for pin in lock.select(target, wish)}
    except LockFileError as refused:
        return str(refused)


@pytest.mark.parametrize("project", ["pylock_pdm", "pylock_pip", "pylock_uv"])
def test_the_selection_is_what_the_tool_installed(project, committed, read):
    """On Linux the set has the very releases that the tool put into an environment from the same file."""
    folder = committed(project)
    for made in json.loads((folder / "installed.json").read_text()):
        wish = Wish(extras=frozenset(made.get("extras", ())), groups=frozenset(made.get("groups", ())))
        lock = read(folder, made.get("lock", "pylock.toml"))
        pins = lock.select(platforms.target(made["python"]), wish)
        versions = {pin.name: pin.version or made["packages"][pin.name] for pin in pins}
        assert versions == made["packages"]


def test_the_project_itself_is_no_pin(committed, read):
    """A directory entry for the project's own folder is left to tox, which installs the project."""
    lock = read(committed("pylock_uv"), "pylock.toml")
    assert any(package.directory for package in lock.document.packages)
    assert "web-shop" not in {pin.name for pin in lock.select(platforms.target("3.12"), Wish())}


def test_references_of_the_file_become_direct_references(committed, read):
    """A commit and an archive keep where they are from, and the archive its hash."""
    pins = {
        pin.name: pin
        for pin in read(committed("pylock_uv"), "pylock.toml").select(platforms.target("3.12"), Wish())
    }
    repository = pins["toy-repository"]
    assert repository.reference.startswith("git+file:///")
    assert len(repository.reference.rpartition("@")[2]) == 40
    assert (repository.subdirectory, repository.hashes) == ("below", ())
    assert pins["six"].reference.endswith("six-1.17.0-py2.py3-none-any.whl")
    assert pins["six"].hashes[0].startswith("sha256:")
