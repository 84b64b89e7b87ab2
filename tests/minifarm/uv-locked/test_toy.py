"""The set of the lock file is installed, and the file is the project's own again."""

from importlib.metadata import version
from pathlib import Path


def test_locked():
    lock = Path(__file__).with_name("uv.lock").read_text()
    assert f'name = "pytest"\nversion = "{version("pytest")}"' in lock


def test_the_projects_own_file():
    lock = Path(__file__).with_name("uv.lock").read_text()
    assert "https://pypi.org/simple" in lock
    assert "https://files.pythonhosted.org/" in lock
