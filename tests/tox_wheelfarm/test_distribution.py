"""The wheel of tox-wheelfarm: complete, and useful with no farm near it."""

import email.parser
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.pyenv import VERSIONS
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "workers/tox_wheelfarm"
IMPORTS = """
import importlib, pkgutil, sys
import tox_wheelfarm
for module in pkgutil.walk_packages(tox_wheelfarm.__path__, "tox_wheelfarm."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(sorted(name for name in sys.modules if name.split(".")[0].startswith(("farm_", "wheelfarm"))))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    command = [find_uv_bin(), "build", "-q", "--wheel", "--out-dir", str(folder), str(SOURCE)]
    subprocess.run(command, check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


def interpreter(minor):
    """The interpreter of a version as pyenv has it, else its name; "3.*" is the newest."""
    below = VERSIONS
    found = [path for path in below.glob(f"{minor}.*/bin/python") if path.parts[-3][0] == "3"]
    numbers = {path: tuple(map(int, re.findall(r"\d+", path.parts[-3]))) for path in found}
    return str(max(found, key=lambda path: numbers[path])) if found else f"python{minor.rstrip('.*')}"


@pytest.fixture(scope="module", params=["3.9", "3.*"], ids=["oldest", "newest"])
def installed(request, wheel, tmp_path_factory):
    """An environment of its own with the wheel and what it requires, on the oldest Python and the newest."""
    path = tmp_path_factory.mktemp("alone") / "env"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PYTHON"))}
    made = ["venv", "--no-python-downloads", "--python", interpreter(request.param), str(path)]
    for arguments in (made, ["pip", "install", "--python", str(path), str(wheel)]):
        command = [find_uv_bin(), "-q", *arguments]
        subprocess.run(command, check=True, timeout=300, env=kept, cwd=path.parent)
    return path


def run(environment, *arguments, cwd):
    """Run the environment's Python far from the repository; gives the finished process."""
    command = [str(environment / "bin/python"), *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_wheel_holds_the_package_alone(wheel):
    """The wheel has tox_wheelfarm with its types and its entry point, nothing of the farm, and asks for none of it."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        info = next(name.split("/")[0] for name in names if ".dist-info/" in name)
        metadata = email.parser.Parser().parsestr(opened.read(f"{info}/METADATA").decode())
        entry_points = opened.read(f"{info}/entry_points.txt").decode()
    assert {name.split("/")[0] for name in names} == {"tox_wheelfarm", info}
    sources = {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "tox_wheelfarm").rglob("*.py")}
    assert sources | {"tox_wheelfarm/py.typed"} <= set(names)
    assert "wheelfarm = tox_wheelfarm.plugin" in entry_points
    assert [each for each in metadata.get_all("Requires-Dist") if "farm" in each] == []
    assert "## Start" in metadata.get_payload()


def test_every_module_is_imported_without_the_farm(installed, tmp_path):
    """On the oldest and the newest Python each module imports, and no farm comes with it."""
    done = run(installed, "-c", IMPORTS, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_the_command_helps(installed, tmp_path):
    """`python -m tox_wheelfarm --help` works there, and so does the help of bootstrap."""
    for arguments, told in (["--help"], "runner = wheelfarm"), (["bootstrap", "--help"], "--lock FILE"):
        done = run(installed, "-m", "tox_wheelfarm", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert told in done.stdout


def test_tox_has_the_runner(installed, tmp_path):
    """The tox beside it offers the runner and runs an environment with it."""
    (tmp_path / "tox.ini").write_text(
        "[tox]\nskipsdist = true\n[testenv:it]\nrunner = wheelfarm\ncommands = python -c \"print('it', 'runs')\"\n"
    )
    done = run(installed, "-m", "tox", "run", "-e", "it", cwd=tmp_path)
    assert "it runs" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
