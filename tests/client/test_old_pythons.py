"""The client as it is installed, on the oldest Pythons that it is for."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .generated import ROOT

HERE = Path(__file__).parent
UV = str(Path(sys.executable).with_name("uv"))
SECONDS = 300
NEEDED = ("pytest", "trio")


def found(version: str) -> str | None:
    """The Python of that version on this host: of the PATH, of the pyenv tree, or of uv; nothing is fetched."""
    usual = shutil.which(f"python{version}")
    if usual and "shims" not in usual:
        return usual
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    here = sorted(root.glob(f"versions/{version}.*/bin/python"))
    if here:
        return str(here[-1])
    argv = [UV, "python", "find", "--no-python-downloads", version]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd="/")
    return done.stdout.strip() if done.returncode == 0 else None


def clean() -> dict[str, str]:
    """The environment without what would lead another Python to this one's packages."""
    dropped = {"PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS", "PYTHONHOME"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def run(argv: list[str], folder: Path, **variables: str) -> str:
    """Run a command to its good end; what it says."""
    environment = {**clean(), **variables}
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


@pytest.mark.parametrize("version", ["3.9", "3.10"])
def test_its_suite_passes_there(version: str, tmp_path: Path) -> None:
    """The wheel, installed with what it asks for, does against a real server what the suite says."""
    python = found(version)
    if python is None:
        pytest.skip(f"there is no Python {version} on this host; pyenv install {version}")
    run(
        [UV, "build", "-q", "--wheel", "--out-dir", str(tmp_path / "dist"), str(ROOT / "api/client")],
        tmp_path,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run([UV, "venv", "-q", "--python", python, "venv"], tmp_path)
    inside = str(tmp_path / "venv/bin/python")
    run([UV, "pip", "install", "-q", "--python", inside, str(wheel), *NEEDED], tmp_path)
    suite = tmp_path / "suite"
    suite.mkdir()
    for name in ("asynchronous", "synchronous"):
        shutil.copytree(HERE / name, suite / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(HERE / "elsewhere.py", suite / "conftest.py")
    farms = json.dumps([sys.executable, "-m", "tests.client.farms", str(tmp_path / "farms")])
    argv = [inside, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."]
    told = run(argv, suite, FARMS=farms, FARMS_ROOT=str(ROOT))
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None
    assert int(passed[1]) >= 3 * 7, told
    where = "import sys, wheelfarm_client as c; print('%d.%d' % sys.version_info[:2], c.__file__)"
    assert run([inside, "-c", where], tmp_path).startswith(f"{version} {tmp_path}/venv/")
