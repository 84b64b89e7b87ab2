"""Hashed requirements files of pip-compile and uv give what pip and uv install from them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tox_wheelfarm.locks import platforms
from tox_wheelfarm.locks.wish import Wish


@pytest.mark.parametrize("project", ["requirements_pip", "requirements_uv"])
def test_the_selection_is_what_was_installed(project, committed, read):
    """On Linux the set has the very releases that the file's own tool put into an environment."""
    folder = committed(project)
    for made in json.loads((folder / "installed.json").read_text()):
        pins = read(folder, made["lock"]).select(platforms.target(made["python"]), Wish())
        assert {pin.name: pin.version for pin in pins} == made["packages"]
        assert all(pin.hashes for pin in pins)


@settings(max_examples=40)
@given(data=st.data())
def test_two_files_of_one_tool_agree(data, committed, read, targets):
    """For any target `uv pip compile --universal` and `uv export` of the same project give the same releases."""
    target = data.draw(targets)
    folder = committed("requirements_uv")
    compiled, exported = (
        read(folder, name).select(target, Wish()) for name in ("requirements.txt", "requirements-export.txt")
    )
    assert [(pin.name, pin.version) for pin in compiled] == [(pin.name, pin.version) for pin in exported]
    # The lock behind the export has left out files that no supported Python takes.
    assert all(set(one.hashes) >= set(other.hashes) for one, other in zip(compiled, exported, strict=True))


def test_where_its_files_are_is_known(committed, read):
    """An index that the file names is told to the install."""
    lock = read(committed("requirements_uv"), "requirements.txt")
    assert lock.options == ("--index-url https://pypi.org/simple",)
