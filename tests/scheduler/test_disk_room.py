"""A full disk: a real one, small enough to fill, where this user may mount it; else the error of one."""

import errno
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from farm_scheduler.disk_room import check_room, is_full
from farm_scheduler.errors import NoRoomError
from farm_scheduler.settings import Settings
from farm_scheduler.sources import get_source
from farm_scheduler.targets import read_target


@pytest.fixture
def small_disk(tmp_path):
    """A home on a disk of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)],
        timeout=20,
        capture_output=True,
        check=False,
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], timeout=20, check=True)


@pytest.mark.parametrize("file", [False, True], ids=["folder", "file"])
def test_a_source_without_room_is_said_and_leaves_nothing(
    small_disk: Path, tmp_path: Path, file: bool
) -> None:
    """A source larger than the free disk is one sentence about the disk, and no part of it stays."""
    target = tmp_path / "project"
    target.mkdir()
    (target / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (target / "blob").write_bytes(random.randbytes(2 << 20))
    if file:
        target = tmp_path / "x-1.tar.gz"
        target.write_bytes(random.randbytes(2 << 20))
    settings = Settings(home=small_disk / "home")
    settings.prepare()
    with pytest.raises(NoRoomError, match="no room left on the disk"):
        get_source(read_target(str(target)), settings)
    assert list(settings.sources.iterdir()) == []


def test_a_full_disk_is_known(small_disk: Path) -> None:
    """A disk without room is told from one with room."""
    assert not is_full(small_disk)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "all").write_bytes(bytes(1 << 20))
    assert is_full(small_disk)


def test_other_troubles_are_not_taken_for_it(tmp_path: Path) -> None:
    """Only the errors of a full disk or a quota are this one."""
    check_room(PermissionError(errno.EACCES, "no"), tmp_path)
    for number in (errno.ENOSPC, errno.EDQUOT):
        with pytest.raises(NoRoomError, match="make room, or set WHEELFARM_HOME"):
            check_room(OSError(number, "full"), tmp_path)
