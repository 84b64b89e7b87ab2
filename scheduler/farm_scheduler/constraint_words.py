"""Where constraints are: a file of the source, or an https URL with the hash that its content must have or without.

Read from people and from `[tool.wheelfarm]`. It checks the form, and whether a URL is one that the farm asks; whether a
file is there planning sees, and a URL is never asked here.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from farm_scheduler.errors import PlanError
from farm_scheduler.git_access import check_url
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.settings import Settings

_URL = re.compile(r"https?://[^\s#]+(?:#sha256=[0-9a-f]{64})?")
_PATH = re.compile(r"[^\x00-\x1f\x7f\\]+")


def is_url(word: str) -> bool:
    """Whether it is asked for over the network, and no file of the source."""
    return "://" in word


def read_word(word: str) -> str:
    """The same word.

    Raises:
        ValueError: it is neither a path below the project's folder nor an http(s) URL.
    """
    if is_url(word):
        if not _URL.fullmatch(word):
            sentence = (
                f"{word[:100]!r} is no URL of constraints; write https://HOST/FILE, or that with #sha256=…"
            )
            raise ValueError(sentence)
        return word
    path = PurePosixPath(word)
    if not _PATH.fullmatch(word) or path.is_absolute() or ".." in path.parts or word.startswith(("-", "~")):
        sentence = (
            f"{word[:100]!r} is no file below the project's folder; write it as requirements/constraints.txt"
        )
        raise ValueError(sentence)
    return word


def check_words(words: Iterable[str], settings: Settings) -> None:
    """Refuse at once what a person named and no job could have.

    Raises:
        PlanError: one is neither a path below the project's folder nor a URL.
        TargetError: one is a URL that the farm does not ask: of another scheme, or of a host inside.
    """
    for word in words:
        try:
            read_word(word)
        except ValueError as error:
            raise PlanError(str(error), constraints=word) from error
        if is_url(word):
            check_url(word.partition("#")[0], settings)


def missing_file(words: tuple[str, ...], files: ProjectFiles) -> str | None:
    """The first file that the source does not have; None when all are there."""
    there = files.names | set(files.texts)
    return next((word for word in words if not is_url(word) and str(PurePosixPath(word)) not in there), None)
