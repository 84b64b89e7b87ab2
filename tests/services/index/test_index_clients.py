"""Real installers through a real proxy process, over a listener passed by SCM_RIGHTS."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from uv import find_uv_bin


def find_python_27() -> str | None:
    """A Python 2.7 that starts: pyenv's `python2.7` is a script that may find none."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [str(path) for path in sorted(root.glob("versions/2.7.*/bin/python"))]
    found += [name for name in [shutil.which("python2.7")] if name]
    for name in found:
        if subprocess.run([name, "-c", ""], capture_output=True, timeout=30, check=False).returncode == 0:
            return name
    return None


PYTHON_27 = find_python_27()


def run(*command: str | Path, cwd: Path) -> str:
    """Run an installer without this user's settings and caches, and give what it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    clean |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "HOME": str(cwd)}
    done = subprocess.run(
        [str(part) for part in command],
        env=clean,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def pip_install(python: str | Path, machine: Any, target: Path, cwd: Path) -> None:
    """Let the pip of an interpreter install `toy` into a folder."""
    options = [
        "--target",
        target,
        "--no-cache-dir",
        "--index-url",
        machine.url,
        "--trusted-host",
        "127.0.0.1",
    ]
    run(python, "-m", "pip", "install", "--disable-pip-version-check", *options, "toy", cwd=cwd)


@pytest.mark.parametrize("html_only", [False, True], ids=["json", "html-only-upstream"])
def test_newest_pip(proxy: Any, machine: Any, toy_index: Any, tmp_path: Path, html_only: bool) -> None:
    """The newest pip installs a project with its dependency, whatever form the upstream speaks."""
    toy_index.html_only = html_only
    run(
        sys.executable, "-m", "virtualenv", "--no-setuptools", "--no-download", tmp_path / "env", cwd=tmp_path
    )
    pip_install(tmp_path / "env/bin/python", machine, tmp_path / "out", tmp_path)
    assert {"toy.py", "dep.py"} <= {each.name for each in (tmp_path / "out").iterdir()}
    files = {line["file"]: line for line in proxy.downloads()}
    assert set(files) == {"toy-1.0-py2.py3-none-any.whl", "dep-1.0-py2.py3-none-any.whl"}
    assert all(line["sha256"] and line["bytes"] and not line["from_cache"] for line in files.values())


@pytest.mark.skipif(not PYTHON_27, reason="no Python 2.7 on this machine")
def test_pip_of_python_27(machine: Any, tmp_path: Path) -> None:
    """The pip of a Python 2.7 installs through the HTML form."""
    pip_install(PYTHON_27, machine, tmp_path / "out", tmp_path)
    assert (tmp_path / "out/toy.py").exists()


def test_uv(machine: Any, tmp_path: Path) -> None:
    """uv, which asks for ranges of wheels, installs through the proxy."""
    run(find_uv_bin(), "venv", "--python", sys.executable, tmp_path / "env", cwd=tmp_path)
    options = ["--no-cache", "--python", tmp_path / "env/bin/python", "--index-url", machine.url]
    run(find_uv_bin(), "pip", "install", *options, "toy", cwd=tmp_path)
    assert "1.0" in run(
        tmp_path / "env/bin/python", "-c", "import toy, dep; print(toy.version)", cwd=tmp_path
    )
