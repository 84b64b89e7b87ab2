"""Where in a project's files a test failed, as far as what it said tells it.

Called by failures. Only a file and a line that the evidence itself names count: those of a traceback, below the
project's folder in the machine, or in the very file that a pytest id names. Nothing is guessed or looked up.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

MOST_TEXT = 64 * 1024
"""Characters at the end of a message that are searched."""

LONGEST_PATH = 300
MOST_LINES = 10_000_000

_FRAME = re.compile(
    r'^ {2,8}File "/home/job/project/[^"/\n]{1,200}/([^"\n]{1,300})", line (\d{1,8})\b', re.MULTILINE
)
"""A frame of Python's own tracebacks."""

_PYTEST = re.compile(r"^([^\s:][^:\n]{0,299}):(\d{1,8}): ", re.MULTILINE)
"""A frame of pytest's: `tests/test_x.py:12: AssertionError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file: `path` from the project's root, with `/`; lines count from 1."""

    path: str
    line: int


def place_of(name: str, message: str | None) -> Place | None:
    """Where the test of this name failed; None where its message does not tell."""
    text = (message or "")[-MOST_TEXT:]
    own = name.partition("::")[0]
    for path, line in reversed(_PYTEST.findall(text)):
        if own == path or own.endswith("/" + path):
            return _place(own, line)
    for path, line in reversed(_FRAME.findall(text)):
        if (found := _place(path, line)) is not None:
            return found
    return None


def _place(path: str, line: str) -> Place | None:
    """A place in the project's own files, not in what tox or an installer put among them."""
    parts = PurePosixPath(path).parts
    strange = not path.isprintable() or "\\" in path or len(path) > LONGEST_PATH or path.startswith("/")
    foreign = not parts or parts[0] in {".tox", ".nox", ".venv"} or "site-packages" in parts or ".." in parts
    if strange or foreign or not 0 < int(line) < MOST_LINES:
        return None
    return Place(path=str(PurePosixPath(path)), line=int(line))
