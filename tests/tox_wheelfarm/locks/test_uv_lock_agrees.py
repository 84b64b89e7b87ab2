"""uv.lock is selected as uv does it: against its export, for any platform, and against what it installed here."""

import json
import subprocess
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from uv import find_uv_bin

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import platforms
from tox_wheelfarm.locks.wish import Wish

PROJECTS = ("uv_web", "uv_conflicts", "uv_workspace", "uv_forks", "uv_sources")
MEMBERS = ("uv_workspace/libs/a", "uv_workspace/libs/c", "uv_conflicts/either")
PLAIN = ("--no-hashes", "--no-annotate", "--no-header", "-q", "--no-emit-project", "--no-default-groups")
UNFIT = ("has no file of", "is for Python", "is not for this platform")
"""What an export does not know: whether there is a file for a target, or the lock is for it."""


@cache
def exported(folder, extras, groups, project):
    """The requirements of uv's own export with their markers, or None where it refuses the wish."""
    command = [find_uv_bin(), "--no-config", "export", "--frozen", "--offline", *PLAIN]
    command += [word for extra in extras for word in ("--extra", extra)]
    command += [word for group in groups for word in ("--group" if project else "--only-group", group)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        assert "conflict" in done.stderr, done.stderr
        return None
    lines = [line.removeprefix("-e ").partition(" ; ") for line in done.stdout.splitlines()]
    return [(_key(told.strip()), marker) for told, _, marker in lines]


def _key(told):
    """A release as `name==version`, a folder or a file beside the lock by its last part, a URL as it is."""
    if "://" not in told and "/" in told:
        return told.rstrip("/").rpartition("/")[2]
    asked = Requirement(told)
    return f"{asked.name}=={next(iter(asked.specifier)).version}" if asked.specifier else str(asked.url)


def _pinned(pin):
    if not pin.reference:
        return f"{pin.name}=={pin.version}"
    if pin.index or pin.reference.startswith(("http", "git+")):
        return pin.reference + (f"#subdirectory={pin.subdirectory}" if pin.subdirectory else "")
    return pin.reference.rpartition("/")[2]


def _selected(lock, target, wish):
    try:
        return lock.select(target, wish)
    except LockFileError as refused:
        return str(refused)


def _holds(marker, target):
    return not marker or Requirement(f"x ; {marker}").marker.evaluate(dict(target.environment))


@pytest.mark.parametrize("name", PROJECTS + MEMBERS)
@settings(max_examples=40)
@given(data=st.data())
def test_the_selection_is_that_of_uvs_export(name, data, committed, read, targets):
    """For any target, extras and groups the set is what uv exports, and what uv refuses is refused."""
    folder = committed(name)
    lock = read(folder)
    extras = (
        frozenset(data.draw(st.sets(st.sampled_from(sorted(lock.extras))))) if lock.extras else frozenset()
    )
    groups = (
        frozenset(data.draw(st.sets(st.sampled_from(sorted(lock.groups))))) if lock.groups else frozenset()
    )
    project = bool(extras) or not groups or data.draw(st.booleans())
    target = data.draw(targets)
    theirs = exported(folder, tuple(sorted(extras)), tuple(sorted(groups)), project)
    ours = _selected(lock, target, Wish(project=project, extras=extras, groups=groups))
    if isinstance(ours, str):
        assert (theirs is None and "conflict" in ours) or any(told in ours for told in UNFIT)
        return
    assert theirs is not None
    wanted = {key for key, marker in theirs if _holds(marker, target)}
    assert {_pinned(pin) for pin in ours} - {"toy_flat-2.0-py3-none-any.whl"} == wanted - {"toy-flat==2.0"}


@pytest.mark.parametrize("name", PROJECTS)
def test_the_selection_is_what_uv_installed(name, committed, read):
    """On Linux the set has the very releases that `uv sync` put into an environment from the same lock."""
    folder = committed(name)
    for made in json.loads((folder / "installed.json").read_text()):
        wish = Wish(extras=frozenset(made["extras"]), groups=frozenset(made["groups"]))
        pins = read(folder).select(platforms.target(made["python"]), wish)
        versions = {pin.name: pin.version or made["packages"][pin.name] for pin in pins}
        assert versions == made["packages"]


def test_every_need_of_a_selected_release_is_selected(committed, read):
    """What a pin says that it requires is in the same set."""
    for name in PROJECTS:
        lock = read(committed(name))
        pins = lock.select(platforms.target("3.12"), Wish(groups=lock.groups - {"old"}))
        names = {pin.name for pin in pins}
        assert {needed for pin in pins for needed in pin.requires} <= names


@pytest.mark.parametrize(
    ("name", "extras"), [("uv_web", {"all"}), ("uv_conflicts", {"cpu"}), ("uv_sources", set())]
)
def test_a_names_closure_is_closed(name, extras, committed, read):
    """What a name brings is part of the set that has it, in the same releases, with everything that each needs."""
    lock = read(committed(name))
    target = platforms.target("3.12")
    whole = {pin.name: pin for pin in lock.select(target, Wish(extras=frozenset(extras)))}
    for wanted in whole:
        some = lock.select(target, Wish(names=(wanted,), extras=frozenset(extras), project=False))
        names = {pin.name for pin in some}
        assert wanted in names
        assert {needed for pin in some for needed in pin.requires} <= names
        assert names <= set(whole)
        if name == "uv_web":
            assert {(pin.name, pin.version) for pin in some} <= {(p.name, p.version) for p in whole.values()}
