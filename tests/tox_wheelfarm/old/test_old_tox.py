"""Old interpreters under the real tox, behind the same settings as new ones."""

import os
import shutil
import subprocess
import sys

import pytest
from uv import find_uv_bin

from .toy_index import wheel

VERSIONS = ("2.7", "3.6", "3.7", "3.8")
ENVIRONMENTS = ",".join(f"old{version.replace('.', '')}" for version in VERSIONS)


@pytest.fixture
def tox(tmp_path, index, interpreter):
    """Runs tox in a project with an environment per old interpreter, all of them with one lock file."""
    index.add("toy-of-old", wheel("toy-of-old", "1.0"))
    index.add("toy-of-old", wheel("toy-of-old", "2.0"))
    line = f"toy-of-old==1.0 --hash={index.hash('toy-of-old', 'toy_of_old-1.0-py2.py3-none-any.whl')}\n"
    (tmp_path / "requirements-lock.txt").write_text(line)
    head = "[testenv]\nrunner = wheelfarm\nskip_install = true\nlockfile = requirements-lock.txt\n"
    said = (
        "import sys, toy_of_old as toy; print('%d.%d has toy %s' % (sys.version_info[:2] + (toy.version,)))"
    )
    head += f'commands = python -c "{said}"\n'
    parts = [f"[testenv:old{v.replace('.', '')}]\nbase_python = {interpreter(v)}\n" for v in VERSIONS]
    (tmp_path / "tox.ini").write_text(head + "".join(parts))
    asked = [find_uv_bin(), "--no-config", "cache", "dir"]
    cache = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    # The toys are an index beside the one that is set up, from which virtualenv is had for 2.7.
    own = {"UV_INDEX": index.url, "UV_CACHE_DIR": cache, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def run(*arguments):
        command = [sys.executable, "-m", "tox", "run", "-e", ENVIRONMENTS, *arguments]
        return subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, **own},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def test_each_old_python_gets_the_locked_set(tox, index, tmp_path):
    """2.7 to 3.8 have the release of the lock, and once more from nothing with the network dead."""
    done = tox()
    assert done.returncode == 0, done.stdout + done.stderr
    for version in VERSIONS:
        assert f"{version} has toy 1.0" in done.stdout
    shutil.rmtree(tmp_path / ".tox")
    index.stop()
    again = tox("--offline")
    assert again.returncode == 0, again.stdout + again.stderr
    for version in VERSIONS:
        assert f"{version} has toy 1.0" in again.stdout


def test_a_wrong_hash_is_refused_on_each_old_python(tox, tmp_path):
    """A file that is not the lock's fails each old environment, by name and without a traceback of ours."""
    (tmp_path / "requirements-lock.txt").write_text(f"toy-of-old==2.0 --hash=sha256:{'0' * 64}\n")
    done = tox()
    assert done.returncode != 0
    assert done.stdout.count("InstallFailedError") == len(VERSIONS), done.stdout + done.stderr
    assert done.stdout.count("Hash mismatch") == len(VERSIONS) - 1
    assert done.stdout.count("DO NOT MATCH THE HASHES") == 1
    assert "has toy" not in done.stdout
