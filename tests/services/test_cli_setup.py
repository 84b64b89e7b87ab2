"""`./farm`, the script that sets a machine up and becomes the command."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "farm"
NOBODY = 65534


@pytest.fixture
def clone():
    """A clone that was never set up, in a folder with blanks that everybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="wheel farm "))
    folder.chmod(0o755)
    for name in ("farm", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder)


def run(*argv, **options):
    """A process to its end."""
    return subprocess.run(
        [*map(str, argv)], capture_output=True, text=True, timeout=120, check=False, **options
    )


def made():
    """Whether this clone has been set up by the script; its tests are then about a second start."""
    return (ROOT / ".venv" / "farm-stamp").exists()


@pytest.mark.skipif(not made(), reason="this clone was set up by hand")
def test_a_second_start_is_quick_and_silent(tmp_path):
    """Through a link, from another folder: nothing is said but what the command says, in under a second."""
    link = tmp_path / "a link"
    link.symlink_to(SCRIPT)
    times = []
    for _ in range(3):
        begun = time.monotonic()
        done = run(link, "--version", cwd=tmp_path)
        times.append(time.monotonic() - begun)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("wheelfarm, version")
    assert min(times) < 1


@pytest.mark.skipif(not made(), reason="this clone was set up by hand")
def test_exit_code_and_words_are_passed_on():
    """The script becomes the command: arguments go in and the exit code comes out."""
    done = run(SCRIPT, "run", "no such==target")
    assert done.returncode == 2
    assert "no such==target" in done.stderr
    assert run(SCRIPT, "test", "nonsense").returncode == 2


@pytest.mark.skipif(os.getuid() != 0, reason="takes root, to become somebody without rights")
def test_without_rights_the_administrator_gets_the_command(clone, tmp_path):
    """Somebody who may not install packages is told which command to ask for, with exit code 3."""
    programs = Path(tempfile.mkdtemp(dir=clone))
    programs.chmod(0o755)
    for name in ("sh", "readlink", "dirname", "id", "cut", "sed", "paste"):
        (programs / name).symlink_to(shutil.which(name))
    # A machine where nothing is installed: dpkg-query finds none of the packages.
    (programs / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (programs / "dpkg-query").chmod(0o755)
    rights = [
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "env",
        "-i",
        f"PATH={programs}",
    ]
    done = run(*rights, clone / "farm", "doctor", cwd="/", stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    last = done.stderr.splitlines()[-1]
    assert "apt-get install --no-install-recommends qemu-system-x86 qemu-utils" in last
    assert "run the virtual machines" in done.stderr
    assert done.stdout == ""
    del tmp_path


@pytest.mark.skipif(os.getuid() != 0, reason="takes root, to become somebody without rights")
def test_a_clone_of_somebody_else_is_refused(clone):
    """A folder that cannot be written is one sentence, not half a set-up."""
    rights = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = run(*rights, clone / "farm", "doctor", stdin=subprocess.DEVNULL)
    assert done.returncode == 3
    assert "use a clone that belongs to" in done.stderr


def test_no_network_is_one_sentence(clone):
    """When PyPI does not answer the script says so, names its log, and ends with exit code 3."""
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    done = run(clone / "farm", "doctor", env=environment | closed)
    assert done.returncode == 3
    assert "uv could not be fetched from PyPI; check the network" in done.stderr.splitlines()[-1]
    assert not (clone / ".venv").exists()


def test_the_packages_are_named_once():
    """No package is listed twice, and each line says what it is for."""
    text = SCRIPT.read_text("utf-8").partition("packages='\n")[2].partition("\n'\n")[0]
    names = [name for line in text.splitlines() for name in line.partition(":")[0].split()]
    assert len(names) == len(set(names))
    assert all(line.partition(": ")[2] for line in text.splitlines())


def test_the_script_is_plain_posix_shell():
    """A POSIX shell reads it without running it, and CI's script only calls it."""
    assert run("dash", "-n", SCRIPT).returncode == 0
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert lines[-1].endswith('/../farm" test')
    assert len(lines) < 5
