"""Folders outside of the project in uv.lock: those that the project names, and no other."""

import pytest

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import files, platforms
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.wish import Wish

LOCK = """
version = 1
requires-python = ">=3.9"
[[package]]
name = "app"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "lib" }}]
[package.metadata]
requires-dist = [{{ name = "lib", {kind} = "{place}" }}]
[[package]]
name = "lib"
version = "1.0"
source = {{ {kind} = "{place}" }}
"""


def selected(root, place, kind, sources=""):
    """The reference of `lib`, as a project with these sources gets it."""
    root.mkdir(exist_ok=True)
    text = f"[project]\nname = 'app'\nversion = '1.0'\ndependencies = ['lib']\n{sources}"
    (root / "pyproject.toml").write_text(text, "utf-8")
    (root / "uv.lock").write_text(LOCK.format(place=place, kind=kind), "utf-8")
    lock = files.read(root / "uv.lock", Project.read(root))
    return lock.select(platforms.target("3.12"), Wish())[0].reference


@pytest.mark.parametrize("kind", ["editable", "directory"])
@pytest.mark.parametrize("place", ["../evil", "/opt/evil", "lib/../../evil"])
def test_a_folder_that_only_the_lock_names_is_refused(tmp_path, kind, place):
    """A path out of the project that no pyproject.toml has is an error with the path."""
    with pytest.raises(LockFileError, match="evil' is outside of the project"):
        selected(tmp_path / "project", place, kind)


@pytest.mark.parametrize("kind", ["editable", "directory"])
def test_a_folder_that_the_project_names_is_taken(tmp_path, kind):
    """A path source beside the project is where the project says that it is."""
    sources = "[tool.uv.sources]\nlib = {path = '../lib'}\n"
    assert selected(tmp_path / "project", "../lib", kind, sources) == str(tmp_path / "lib")


def test_a_folder_that_a_named_folder_names_is_taken(tmp_path):
    """What a path source needs from a folder of its own is reached through that one."""
    (tmp_path / "near").mkdir()
    far = "[project]\nname = 'near'\n[tool.uv.sources]\nlib = {path = '../far'}\n"
    (tmp_path / "near/pyproject.toml").write_text(far, "utf-8")
    sources = "[tool.uv.sources]\nnear = {path = '../near'}\n"
    assert selected(tmp_path / "project", "../far", "editable", sources) == str(tmp_path / "far")


def test_a_folder_inside_is_taken(tmp_path):
    """Below the lock file everything is the project's own."""
    assert selected(tmp_path / "project", "libs/lib", "editable") == str(tmp_path / "project/libs/lib")
