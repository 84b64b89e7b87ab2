"""The wheel of tox-wheelfarm: complete, and useful with no farm near it."""

import email.parser
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
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


def newest():
    """The newest interpreter that pyenv has, or 3.13 by name."""
    below = Path(os.environ.get("PYENV_ROOT", "/root/.pyenv")) / "versions"
    found = [
        (int(path.name.split(".")[1]), path) for path in below.glob("3.*") if (path / "bin/python").exists()
    ]
    return str(max(found)[1] / "bin/python") if found else "3.13"


@pytest.fixture(scope="module", params=["3.9", "newest"])
def installed(request, wheel, tmp_path_factory):
    """An environment of its own with the wheel and what it requires, on the oldest Python and the newest."""
    path = tmp_path_factory.mktemp("alone") / "env"
    python = newest() if request.param == "newest" else request.param
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PYTHON"))
    }
    for arguments in (
        ["venv", "--python", python, str(path)],
        ["pip", "install", "--python", str(path), str(wheel)],
    ):
        command = [find_uv_bin(), "-q", *arguments]
        subprocess.run(command, check=True, timeout=300, env=environment, cwd=path.parent)
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
