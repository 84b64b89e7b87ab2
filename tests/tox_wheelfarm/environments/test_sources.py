"""Folders and repositories of this disk in an environment: what is in them counts, not what a cache holds."""

import shutil
import subprocess

import pytest

from tox_wheelfarm import sources
from tox_wheelfarm.locks.pin import Pin

SHOW = "commands = python -c 'import loc; print(loc.VERSION, \"is it\")'"


@pytest.fixture
def folder(bench):
    """A bench with a project, and beside it a folder `loc` that builds itself."""
    bench.project(name="loc")
    place = bench.root / "loc"
    place.mkdir()
    for name in ("pyproject.toml", "backend.py", "loc.py"):
        (bench.root / name).rename(place / name)
    bench.ini("skip_install = true", "deps = ./loc", SHOW)
    return bench


def test_a_changed_folder_is_installed_anew(folder):
    """A run after a change of its sources has the change, though nothing that a cache looks at is another."""
    assert "1 is it" in folder.passes().said
    born = folder.born()
    folder.write("loc/loc.py", "VERSION = 22\n")
    assert "22 is it" in folder.passes().said
    assert folder.born() == born


def test_a_rebuild_takes_a_folder_as_it_is(folder):
    """`--recreate` and another environment build the folder, and take no earlier build from a cache."""
    folder.passes()
    folder.write("loc/loc.py", "VERSION = 22\n")
    assert "22 is it" in folder.passes("--recreate").said
    folder.write("loc/loc.py", "VERSION = 333\n")
    folder.ini("skip_install = true", "deps = ./loc", SHOW, envs="b")
    assert "333 is it" in folder.passes().said


def test_a_folder_that_a_lock_names_is_installed_anew(folder):
    """The folder of a path source in uv.lock is looked at in each run, and built in a rebuild."""
    del folder.variables["UV_DEFAULT_INDEX"]  # uv asks none for a folder
    folder.project("loc")
    text = (folder.root / "pyproject.toml").read_text("utf-8")
    folder.write("pyproject.toml", f"{text}[tool.uv.sources]\nloc = {{path = 'loc'}}\n")
    folder.lock()
    folder.ini("package = wheel", "installer = lockfile", SHOW)
    assert "1 is it" in folder.passes().said
    folder.write("loc/loc.py", "VERSION = 22\n")
    assert "22 is it" in folder.passes().said
    folder.write("loc/loc.py", "VERSION = 333\n")
    assert "333 is it" in folder.passes("--recreate").said


def test_a_folder_that_did_not_change_is_not_built_again(folder):
    """Nothing is installed when a folder is the same; a time without another content is no change."""
    folder.passes()
    module = folder.site() / "loc.py"
    before = module.stat().st_ino, module.stat().st_mtime_ns
    folder.passes()
    (folder.root / "loc/loc.py").touch()
    folder.passes()
    assert (module.stat().st_ino, module.stat().st_mtime_ns) == before


def test_a_branch_that_moved_is_seen_in_a_rebuild(folder):
    """A rebuild asks a repository for what a branch is now, also where constraints could decide without asking."""

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        subprocess.run(
            ["git", *who, *words], cwd=folder.root / "loc", check=True, timeout=60, capture_output=True
        )

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    url = f"git+{(folder.root / 'loc').as_uri()}@main"
    folder.ini("skip_install = true", f"deps = loc @ {url}", "constraints = low===1.0", SHOW)
    assert "1 is it" in folder.passes().said
    folder.write("loc/loc.py", "VERSION = 22\n")
    git("commit", "-am", "two")
    assert "22 is it" in folder.passes("--recreate").said


def test_what_tools_leave_in_a_folder_is_no_source(tmp_path):
    """Bytecode, environments, hidden folders and a backend's output change nothing; any other file does."""
    pin = Pin("loc", "1.0", reference=str(tmp_path))
    (tmp_path / "loc.py").write_text("VERSION = 1\n", "utf-8")
    looked, held = sources.looks([pin]), sources.content(pin)
    for left in (
        "__pycache__/loc.pyc",
        ".git/index",
        "env/pyvenv.cfg",
        "loc.egg-info/PKG-INFO",
        "build/loc.py",
    ):
        (tmp_path / left).parent.mkdir()
        (tmp_path / left).write_text("left", "utf-8")
    assert sources.unchanged(looked)
    assert sources.content(pin) == held
    (tmp_path / "data.txt").write_text("more", "utf-8")
    assert not sources.unchanged(looked)
    assert sources.content(pin) != held


def test_a_package_that_is_called_build_is_a_source(tmp_path):
    """A folder of a backend's output is left out only where it is no package."""
    pin = Pin("build", "1.0", reference=str(tmp_path))
    (tmp_path / "build").mkdir()
    (tmp_path / "build/__init__.py").write_text("", "utf-8")
    held = sources.content(pin)
    (tmp_path / "build/more.py").write_text("", "utf-8")
    assert sources.content(pin) != held


def test_a_folder_that_is_gone_is_another(tmp_path):
    """A place that is there no longer does not look as it did."""
    place = tmp_path / "loc"
    place.mkdir()
    (place / "loc.py").write_text("", "utf-8")
    looked = sources.looks([Pin("loc", "", reference=place.as_uri())])
    shutil.rmtree(place)
    assert not sources.unchanged(looked)


def test_sources_that_are_left_out_are_seen(folder, index):
    """`UV_NO_SOURCES` decides whether a folder's own `tool.uv.sources` count, and a change of it is a change."""
    index.release("low", "1.0")
    folder.project(name="low", version="2.0")
    place = folder.root / "low"
    place.mkdir()
    for name in ("pyproject.toml", "backend.py", "low.py"):
        (folder.root / name).rename(place / name)
    text = (folder.root / "loc/pyproject.toml").read_text("utf-8")
    text = text.replace("dependencies = []", "dependencies = ['low']")
    folder.write("loc/pyproject.toml", f"{text}[tool.uv.sources]\nlow = {{path = '../low'}}\n")
    assert any(line.startswith("low @ ") for line in folder.passes().packages())
    folder.variables["UV_NO_SOURCES"] = "1"
    assert "low==1.0" in folder.passes().packages()
