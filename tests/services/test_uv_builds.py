"""uv's builds of Python from a mirror folder, fetched by the real uv, and what is said when they cannot be had."""

import hashlib
import json
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest

from farm_images.interpreters import copy_interpreter
from farm_images.providers import Providers
from farm_images.recipes import load_recipe
from farm_images.uv_builds import LIST, UvBuilds

RELEASES = "https://github.com/astral-sh/python-build-standalone/releases/download"
PYPY = "https://downloads.python.org/pypy"
BUILDS = {
    "3.14": (
        "cpython-3.14.2",
        "20260101/cpython-3.14.2+20260101-x86_64-unknown-linux-gnu-install_only.tar.gz",
    ),
    "3.14t": ("cpython-3.14.2+freethreaded", "20260101/cpython-3.14.2+20260101-freethreaded.tar.gz"),
    "3.15": ("cpython-3.15.0rc1", "20260101/cpython-3.15.0rc1+20260101-install_only.tar.gz"),
    "pypy3.11": ("pypy-3.11.13", "pypy3.11-v7.3.20-linux64.tar.gz"),
}
"""By name: what uv calls each build, and where it lies in a mirror."""


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with the layout that uv asks for, and a list of what lies in it."""
    folder = tmp_path / "mirror"
    listed = {}
    for name, (key, file) in BUILDS.items():
        archive = folder / file
        archive.parent.mkdir(parents=True, exist_ok=True)
        _pack(archive, name)
        listed[f"{key}-linux-x86_64-gnu"] = _entry(name, key, file, archive)
    (folder / LIST).write_text(json.dumps(listed), encoding="utf-8")
    return folder


def _pack(archive: Path, name: str) -> None:
    """An archive as the releases are: one folder `python` (PyPy: of any name) with what an interpreter has."""
    tree = archive.parent / f"tree-{name}" / "python"
    program = name if name.startswith("pypy") else f"python{name}"
    library = tree / "lib" / program
    for folder in (tree / "bin", library / "json", library / "test"):
        folder.mkdir(parents=True)
    (tree / "bin" / program).write_text("#!/bin/sh\n", encoding="utf-8")
    (tree / "bin" / program).chmod(0o755)
    (library / "json/__init__.py").write_text("x = 1\n", encoding="utf-8")
    (library / "test/test_json.py").write_text("", encoding="utf-8")
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tree, "python")


def _entry(name: str, key: str, file: str, archive: Path) -> dict[str, object]:
    implementation, _, version = key.removesuffix("+freethreaded").partition("-")
    major, minor, patch = version.split(".")
    number, _, prerelease = patch.partition("rc")
    return {
        "name": implementation,
        "arch": {"family": "x86_64", "variant": None},
        "os": "linux",
        "libc": "gnu",
        "major": int(major),
        "minor": int(minor),
        "patch": int(number),
        "prerelease": f"rc{prerelease}" if prerelease else "",
        "url": f"{PYPY}/{file}" if implementation == "pypy" else f"{RELEASES}/{file.replace('+', '%2B')}",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": "freethreaded" if name.endswith("t") else None,
        "build": "20260101",
    }


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_builds_come_from_a_mirror_folder(tmp_path: Path, mirror: Path, form: str) -> None:
    """A path or a file URL gives each build that is asked for, pre-release, free-threaded and PyPy, checked by uv."""
    builds = UvBuilds(folder=tmp_path / "pythons", mirror=form.format(mirror))
    names = ["3.14", "3.14t", "3.15", "pypy3.11", "3.99"]
    assert [each.name for each in builds.expected(names, fetched=True)] == names[:4]
    found, why = builds.fetch(names)
    assert why is None
    assert [(each.name, each.version, each.threaded, each.provider) for each in found] == [
        ("3.14", "3.14.2", False, "uv"),
        ("3.14t", "3.14.2", True, "uv"),
        ("3.15", "3.15.0rc1", False, "uv"),
        ("pypy3.11", "3.11.13", False, "uv"),
    ]
    assert not (Path.home() / ".local/bin/python3.14").exists()
    entry = copy_interpreter(found[1], tmp_path / "root")
    assert entry.path == "/opt/python/uv-3.14.2t/bin/python3.14t"
    library = tmp_path / "root/opt/python/uv-3.14.2t/lib/python3.14t"
    assert {path.name for path in library.iterdir()} == {"json", "site-packages"}


def test_what_was_fetched_stays(tmp_path: Path, mirror: Path) -> None:
    """A build that is there needs no mirror any more."""
    builds = UvBuilds(folder=tmp_path / "pythons", mirror=str(mirror))
    builds.fetch(["3.14"])
    (mirror / BUILDS["3.14"][1]).unlink()
    assert [each.name for each in builds.expected(["3.14", "3.15"], fetched=False)] == ["3.14", "3.15"]
    assert [each.name for each in builds.fetch(["3.14"])[0]] == ["3.14"]


def test_a_spoilt_archive_is_told(tmp_path: Path, mirror: Path) -> None:
    """An archive that is not what the list says is not taken; the others are, and one sentence says which not."""
    (mirror / BUILDS["3.15"][1]).write_bytes((mirror / BUILDS["3.14"][1]).read_bytes())
    found, why = UvBuilds(folder=tmp_path / "pythons", mirror=str(mirror)).fetch(["3.14", "3.15"])
    assert [each.name for each in found] == ["3.14"]
    assert why is not None
    assert why.startswith("uv could not fetch 3.15: ")
    assert "\n" not in why


def test_an_empty_mirror_is_told(tmp_path: Path) -> None:
    """Without the archives nothing is given, nothing fails, and nothing is expected of it either."""
    (tmp_path / "mirror").mkdir()
    builds = UvBuilds(folder=tmp_path / "pythons", mirror=str(tmp_path / "mirror"))
    assert builds.expected(["3.14"], fetched=True) == []
    found, why = builds.fetch(["3.14"])
    assert found == []
    assert why is not None
    assert "uv could not fetch 3.14" in why
    assert f"mirror: {tmp_path / 'mirror'}" in why


def test_a_network_that_is_away_is_told(tmp_path: Path) -> None:
    """A mirror that does not answer is one sentence, soon; what it might have had was expected."""
    builds = UvBuilds(folder=tmp_path / "pythons", mirror="http://127.0.0.1:9/mirror")
    assert [each.name for each in builds.expected(["3.14"], fetched=True)] == ["3.14"]
    assert builds.expected(["3.14"], fetched=False) == []
    found, why = builds.fetch(["3.14"])
    assert found == []
    assert why is not None
    assert "3.14" in why


def test_fetching_can_be_stopped(tmp_path: Path) -> None:
    """A bake that is told to stop does not wait for a mirror that is slow to answer."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        builds = UvBuilds(
            folder=tmp_path / "pythons", mirror=f"http://127.0.0.1:{silent.getsockname()[1]}/mirror"
        )
        threading.Timer(1.0, stop.set).start()
        begun = time.monotonic()
        found, why = builds.fetch(["3.14"], stop)
    assert time.monotonic() - begun < 10
    assert found == []
    assert why is not None
    assert "it was stopped" in why


def test_the_first_provider_that_has_a_python_gives_it(tmp_path: Path, mirror: Path) -> None:
    """The distribution's come before those of pyenv, and those before uv's."""
    for name in ("3.11.9", "3.14.0"):
        folder = tmp_path / "pyenv/versions" / name / "bin"
        folder.mkdir(parents=True)
        (folder / f"python{name.rpartition('.')[0]}").touch()
    uv = UvBuilds(folder=tmp_path / "pythons", mirror=str(mirror))
    providers = Providers(pyenv_root=tmp_path / "pyenv", uv=uv)
    found = providers.expected(load_recipe("debian-12"), fetched=True)
    assert {each.name: each.provider for each in found} == {
        "3.11": "distribution",
        "3.14": "pyenv",
        "3.14t": "uv",
        "3.15": "uv",
        "pypy3.11": "uv",
    }
    fetched, why = providers.fetched(load_recipe("debian-12"))
    assert ([each.name for each in fetched], why) == (["3.15", "3.14t", "pypy3.11"], None)
