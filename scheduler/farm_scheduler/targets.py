"""TARGET: what a person asks to be tested, as written: a name, `name==version`, or a folder.

Called by the doors and by runs. It reads the word and looks whether a folder is there; it never fetches.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_scheduler.errors import TargetError

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseTarget:
    """A project of the package index; `version` None is its newest release."""

    text: str
    name: str
    version: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTarget:
    """A project's folder on this host."""

    text: str
    path: Path


def read_target(text: str) -> ReleaseTarget | FolderTarget:
    """What TARGET means: what looks like a path is a folder, everything else a project of the index.

    Raises:
        TargetError: a folder that is not there, or neither a name nor `name==version`.
    """
    text = text.strip()
    path = Path(text).expanduser()
    if text in {"", "."} or text.startswith(("/", "./", "../", "~")) or "/" in text:
        return _folder(text or ".", path)
    name, separator, version = text.partition("==")
    name, version = name.strip(), version.strip()
    if not _NAME.fullmatch(name) or (separator and not version):
        sentence = f"{text!r} is no target; write a project name, name==version, or ./folder"
        raise TargetError(sentence, target=text)
    try:
        wanted = Version(version) if separator else None
    except InvalidVersion as error:
        sentence = f"{version!r} is no version; write for example {name}==1.0"
        raise TargetError(sentence, target=text) from error
    return ReleaseTarget(text=text, name=canonicalize_name(name), version=wanted)


def _folder(text: str, path: Path) -> FolderTarget:
    if path.is_file():
        sentence = f"{text} is a file; give the project's folder, or its name on the index"
        raise TargetError(sentence, target=text)
    if not path.is_dir():
        raise TargetError(f"there is no folder {text}; check the path", target=text)
    return FolderTarget(text=text, path=path.resolve())
