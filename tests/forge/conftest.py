"""One Pagure for all tests that need a forge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .local_pagure import Pagure, git, local_pagure

from ..services.test_engine_tasks import database, redis, settings, worker  # noqa: F401 - fixtures  # isort: skip


@pytest.fixture(scope="session")
def pagure() -> Iterator[Pagure]:
    """It runs until the last test has ended."""
    with local_pagure() as found:
        yield found


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A working folder with one commit on main."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "tox.ini").write_text("[tox]\nenv_list = py310, py311, py312\n")
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        git(folder, *command)
    return folder
