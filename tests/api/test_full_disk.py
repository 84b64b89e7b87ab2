"""Where the command writes has no room: one sentence, no traceback, and no second complaint at the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


def wheelfarm(*arguments: str, home: Path, output: Path) -> subprocess.CompletedProcess[str]:
    """The command with its standard output in this file."""
    environment = {**os.environ, "WHEELFARM_HOME": str(home)}
    with output.open("w") as stream:
        return subprocess.run(
            [sys.executable, "-m", "farm_cli", *arguments],
            stdout=stream,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )


@pytest.mark.parametrize("arguments", [("--help",), ("results",), ("results", "r-fin23456", "--json")])
def test_output_without_room_is_one_sentence(settings, runs, arguments):
    """A disk that is full behind a redirection is told, and is no crash of the farm."""
    del runs
    done = wheelfarm(*arguments, home=settings.home, output=FULL)
    assert done.returncode == 3
    assert done.stderr == (
        "wheelfarm: there is no room left where this is written; make room, or write it to another disk\n"
    )
    assert not (settings.home / "logs").exists() or not list((settings.home / "logs").glob("crash-*"))


@pytest.mark.parametrize("option", ["--junit", "--subunit"])
def test_a_device_without_room_is_one_sentence(settings, runs, tmp_path, option):
    """A file to write that takes nothing is wrong use, as a path that cannot be written is."""
    del runs
    done = wheelfarm(
        "results", "r-fin23456", option, str(FULL), home=settings.home, output=tmp_path / "output"
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "/dev/full cannot be written (No space left on device); give another FILE" in done.stderr
