"""What is not whole yet: files and folders that carry the process that makes them in their names.

Called by sources and releases. They are gone when their maker is done, whatever happened; those of a process that
was killed are removed by the next one that makes some. It never looks into them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PART = ".part-"


@contextmanager
def part_file(folder: Path) -> Iterator[Path]:
    """An empty file in the folder, which is made if it is not there.

    Raises:
        OSError: there is no room, or the folder cannot be written.
    """
    _prepare(folder)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=_prefix(), delete=False) as stream:
        path = Path(stream.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def part_folder(folder: Path) -> Iterator[Path]:
    """A folder in the folder. Raises as `part_file`."""
    _prepare(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_prefix()) as path:
        yield Path(path)


def _prefix() -> str:
    return f"{PART}{os.getpid()}-"


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(f"{PART}*"):
        if not _lives(path.name.removeprefix(PART).partition("-")[0]):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _lives(process: str) -> bool:
    return process.isdecimal() and Path("/proc", process).exists()
