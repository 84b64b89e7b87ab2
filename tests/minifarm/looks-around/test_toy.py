"""Looks at the machine from inside a job: the package disk, and the Pythons that a project may call by name."""

import shutil
import subprocess
from pathlib import Path

import pytest

CACHE = Path.home() / ".cache/wheelfarm/uv"


def test_popular_wheels_are_there() -> None:
    """The cache of uv holds what was on the disk, and what this job was installed from."""
    assert "overlay" in [
        line.split()[2] for line in Path("/proc/mounts").read_text().splitlines() if str(CACHE) in line
    ]
    assert len(list((CACHE / "archive-v0").iterdir())) > 10
    assert list(CACHE.glob("wheels-v*/index/*/pytest/*"))


def test_the_job_adds_its_own() -> None:
    """What the job writes lies on top; the disk itself cannot be written."""
    (CACHE / "archive-v0/mine").mkdir()
    found = [
        line.split() for line in Path("/proc/mounts").read_text().splitlines() if line.startswith("/dev/vdb ")
    ]
    assert [options.split(",")[0] for _, _, _, options, *_ in found] == ["ro"]


@pytest.mark.parametrize("name", ["python3.9", "python3.12", "python3.13"])
def test_pythons_make_environments(name, tmp_path) -> None:
    """A Python of the PATH makes an environment that works, as a project's own scripts would have it do."""
    found = shutil.which(name)
    if found is None:
        return  # whoever runs the farm has no pyenv tree with it
    subprocess.run([found, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=120)
    subprocess.run(
        [tmp_path / "venv/bin/python", "-c", "import json, sysconfig, ssl"], check=True, timeout=120
    )
