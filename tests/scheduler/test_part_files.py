"""What is not whole yet leaves nothing behind, whoever is killed."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from farm_scheduler.part_files import part_file, part_folder

Part = Callable[[Path], AbstractContextManager[Path]]
KILLED = """
import os, signal, sys
from pathlib import Path
from farm_scheduler.part_files import part_file, part_folder
with part_file(Path(sys.argv[1])) as file, part_folder(Path(sys.argv[1])) as folder:
    (folder / "inner").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_part_is_gone_after_a_failure(tmp_path: Path) -> None:
    """Whatever ends the work on a part, the part ends with it."""

    def fail(part: Part) -> None:
        with part(tmp_path / "new") as path:
            assert path.exists()
            raise ValueError(path.name)

    for part in (part_file, part_folder):
        with pytest.raises(ValueError, match="part"):
            fail(part)
    assert list((tmp_path / "new").iterdir()) == []


def test_the_next_one_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    """Files and folders of a killed process go when another makes a part; those of a living one stay."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], timeout=60, check=False)
    assert done.returncode < 0
    assert len(list(tmp_path.iterdir())) == 2
    with part_file(tmp_path) as first, part_folder(tmp_path) as second:
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
