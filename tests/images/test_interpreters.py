"""Interpreters: which versions of a pyenv tree are taken, and that a copy is clean, whole and at home in the guest."""

import py_compile
import re
import shutil
import sys
from pathlib import Path

import pytest

from farm_images.interpreters import copy_interpreter, find_interpreters, listing

PREFIX = "/home/somebody/.pyenv/versions/3.12.1"
RUN_PATH = f"ELF\0other\0{PREFIX}/lib\0more\0"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A pyenv tree with one interpreter in detail and several by name."""
    root = tmp_path / "pyenv"
    names = ("2.7.18", "3.12.0", "3.12.1", "3.11.7", "3.13.0", "3.13.0t", "pypy3.10-7.3.12", "my-env")
    branches = ("3.14.0rc2", "3.14.0rc3", "3.14-dev", "3.14.0b1t", "3.15-dev", "3.15t-dev")
    for name in (*names, *branches):
        binary = root / "versions" / name / "bin"
        binary.mkdir(parents=True)
        short = re.sub(r"-dev$|(-7)?\.\d+((a|b|rc)\d+)?(\.12)?(?=t?$)", "", name)
        (binary / (short if "pypy" in name else f"python{short}")).write_bytes(b"\x7fELF")
    (root / "versions/3.16.0").mkdir()
    _fill(root / "versions/3.12.1")
    return root


def _fill(folder: Path) -> None:
    library = folder / "lib/python3.12"
    texts = {
        "bin/python3.12-config": f"#!/bin/sh\nprefix={PREFIX}\n",
        "bin/pip3.12": f"#!{PREFIX}/bin/python3.12\n",
        "lib/python3.12/json/__init__.py": "",
        "lib/python3.12/test/test_json.py": "",
        "lib/python3.12/unittest/test/test_case.py": "",
        "lib/python3.12/unittest/mock.py": "",
        "lib/python3.12/ensurepip/_bundled/pip.whl": "wheel",
        "lib/python3.12/site-packages/stray.pth": "import os",
        "lib/python3.12/config-3.12/libpython3.12.a": "static",
        "lib/python3.12/config-3.12/Makefile": f"prefix={PREFIX}",
        "lib/python3.12/_sysconfigdata__linux.py": f"x = {{'prefix': '{PREFIX}'}}",
        "include/python3.12/Python.h": "",
        "share/man/python.1": "",
    }
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for level in (0, 1):
        py_compile.compile(str(library / "json/__init__.py"), optimize=level)
    (folder / "bin/python3.12").write_bytes(b"\x7f" + RUN_PATH.encode())
    (folder / "bin/python3").symlink_to("python3.12")


def test_newest_release_of_each_python(tree: Path) -> None:
    """The newest of each name, free-threaded builds beside plain ones, and a branch only where nothing else is."""
    assert [(i.name, i.version, i.program) for i in find_interpreters(tree)] == [
        ("2.7", "2.7.18", "python2.7"),
        ("3.11", "3.11.7", "python3.11"),
        ("3.12", "3.12.1", "python3.12"),
        ("3.13", "3.13.0", "python3.13"),
        ("3.13t", "3.13.0", "python3.13t"),
        ("3.14", "3.14.0rc3", "python3.14"),
        ("3.14t", "3.14.0b1", "python3.14t"),
        ("3.15", "3.15", "python3.15"),
        ("3.15t", "3.15", "python3.15t"),
        ("pypy3.10", "3.10", "pypy3.10"),
    ]


def test_a_release_is_newer_than_its_candidates(tree: Path) -> None:
    """A final release counts more than any pre-release of the same X.Y."""
    shutil.copytree(tree / "versions/3.14.0rc3", tree / "versions/3.14.0")
    shutil.copytree(tree / "versions/3.14.0rc3", tree / "versions/3.14.1a1")
    assert next(i.version for i in find_interpreters(tree) if i.name == "3.14") == "3.14.0"


def test_no_tree_no_interpreters(tmp_path: Path) -> None:
    """A host without pyenv simply gives none."""
    assert find_interpreters(tmp_path / "absent") == []


def test_copy_leaves_out_what_no_job_needs(tree: Path, tmp_path: Path) -> None:
    """Tests, static libraries, manuals, optimised bytecode, scripts and all that was installed stay behind."""
    source = next(i for i in find_interpreters(tree) if i.python == "3.12")
    copied = copy_interpreter(source, tmp_path / "root")
    assert copied.path == "/opt/python/3.12.1/bin/python3.12"
    home = tmp_path / "root/opt/python/3.12.1"
    names = {str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()}
    cache = f"lib/python3.12/json/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    assert names == {
        "bin/python3",
        "bin/python3.12",
        "bin/python3.12-config",
        "include/python3.12/Python.h",
        "lib/python3.12/_sysconfigdata__linux.py",
        "lib/python3.12/config-3.12/Makefile",
        "lib/python3.12/ensurepip/_bundled/pip.whl",
        "lib/python3.12/json/__init__.py",
        cache,
        "lib/python3.12/unittest/mock.py",
    }
    assert (home / "lib/python3.12/site-packages").is_dir()
    assert (tmp_path / "root/opt/python/bin/python3.12").readlink() == Path(copied.path)


def test_the_library_is_found_from_the_link(tree: Path, tmp_path: Path) -> None:
    """Library and headers lie beside the folder of links as well: `python3.12 -m venv` looks there."""
    (interpreter,) = [each for each in find_interpreters(tree) if each.name == "3.12"]
    copy_interpreter(interpreter, tmp_path / "root")
    links = {
        kind: (tmp_path / "root/opt/python" / kind / "python3.12").readlink() for kind in ("lib", "include")
    }
    assert links == {kind: Path(f"/opt/python/3.12.1/{kind}/python3.12") for kind in ("lib", "include")}


def test_copy_keeps_times(tree: Path, tmp_path: Path) -> None:
    """Sources keep their modification time, without which their bytecode would be stale."""
    source = next(i for i in find_interpreters(tree) if i.python == "3.12")
    copy_interpreter(source, tmp_path / "root")
    module = "lib/python3.12/json/__init__.py"
    copied = (tmp_path / "root/opt/python/3.12.1" / module).stat().st_mtime_ns
    assert copied == (source.folder / module).stat().st_mtime_ns


def test_copy_forgets_the_host(tree: Path, tmp_path: Path) -> None:
    """No copied file names the host's folder: scripts and settings name the guest's, and so does the run path."""
    source = next(i for i in find_interpreters(tree) if i.python == "3.12")
    copy_interpreter(source, tmp_path / "root")
    home = tmp_path / "root/opt/python/3.12.1"
    kept = [p for p in home.rglob("*") if p.is_file() and b"somebody" in p.read_bytes()]
    assert kept == []
    binary = (home / "bin/python3.12").read_bytes()
    assert b"\0/opt/python/3.12.1/lib\0" in binary
    assert len(binary) == len(RUN_PATH) + 1


def test_listing_follows_the_tree(tree: Path) -> None:
    """The listing stays the same until a part of the interpreter changes."""
    source = find_interpreters(tree)[0]
    before = listing(source)
    assert listing(source) == before
    (source.folder / "bin/python2.7").write_bytes(b"\x7fELF rebuilt")
    assert listing(source) != before
