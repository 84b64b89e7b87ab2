"""tox-wheelfarm in an image: all of it, known to tox, part of the bake's key, and what it needs beside tox."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm_images import guest_tools, installer_archive
from farm_images.agent_archive import agent_digest, install_guest_files
from farm_images.bake_key import bake_key
from farm_images.errors import ImageError
from farm_images.installer_archive import INSTALLERS_PATH, PACKAGE, installer_files
from farm_images.recipes import load_recipe

SOURCES = Path(__file__).resolve().parents[2] / "workers/tox_wheelfarm/tox_wheelfarm"


def test_the_whole_package_goes_into_the_image(tmp_path: Path) -> None:
    """Each source file is there byte for byte, without bytecode, and tox finds the package by its entry point."""
    install_guest_files(tmp_path)
    folder = tmp_path / INSTALLERS_PATH.lstrip("/")
    wanted = {
        path.relative_to(SOURCES) for path in SOURCES.rglob("*") if path.is_file() and path.suffix != ".pyc"
    }
    assert {
        path.relative_to(folder / PACKAGE) for path in (folder / PACKAGE).rglob("*") if path.is_file()
    } == wanted
    assert all((folder / PACKAGE / name).read_bytes() == (SOURCES / name).read_bytes() for name in wanted)
    script = (
        "import importlib.metadata, json, sys; found = importlib.metadata.entry_points(group='tox');"
        "print(json.dumps([[each.name, each.value, each.dist.version] for each in found]))"
    )
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(folder)!r}); {script}"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert [each[:2] for each in json.loads(found)] == [["wheelfarm", "tox_wheelfarm.plugin"]]


def test_tox_of_the_image_finds_it_on_its_path(tmp_path: Path) -> None:
    """The folder of the image's tox names it in a .pth file."""
    install_guest_files(tmp_path)
    (pth,) = (tmp_path / "opt/wheelfarm/tox").glob("*.pth")
    assert pth.read_text(encoding="utf-8") == f"{INSTALLERS_PATH}\n"


def test_a_changed_source_is_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a bake, and the digest in a template's, change with every file of the package."""
    recipe = load_recipe("debian-12")
    before = (agent_digest(), bake_key(recipe, []))
    copy = tmp_path / PACKAGE
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (agent_digest(), bake_key(recipe, [])) == before
    with (copy / "errors.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert not {agent_digest(), bake_key(recipe, [])} & set(before)


def test_a_farm_without_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host on which tox-wheelfarm is not installed bakes nothing, and says what to do."""
    monkeypatch.setattr(installer_archive, "PACKAGE", "tox_wheelfarm_that_is_not_there")
    with pytest.raises(ImageError, match="install wheelfarm as a whole"):
        installer_files()


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tools of an image for this Python, from the index, with what of ours lies beside them."""
    root = tmp_path_factory.mktemp("root")
    guest_tools.install_tools(root, f"{sys.version_info.major}.{sys.version_info.minor}")
    install_guest_files(root)
    return root


def test_what_it_needs_is_in_the_image(tools: Path) -> None:
    """With the image's tox beside it, every module that it imports is there, and uv's program is the image's one."""
    places = [str(tools / "opt/wheelfarm/tox"), str(tools / INSTALLERS_PATH.lstrip("/"))]
    script = (
        f"import sys; sys.path[:0] = {places!r}; import tox_wheelfarm, packaging, tomli_w, tox, virtualenv, uv, os;"
        "print(os.path.realpath(uv.find_uv_bin()))"
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=plain,
    )
    assert done.returncode == 0, done.stderr
    uv = Path(done.stdout.strip())
    assert uv in {(tools / "opt/wheelfarm/bin/uv").resolve(), Path(sys.executable).with_name("uv").resolve()}
    assert (tools / INSTALLERS_PATH.lstrip("/") / "bin/uv").resolve() == (
        tools / "opt/wheelfarm/bin/uv"
    ).resolve()
