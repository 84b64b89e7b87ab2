"""Folders outside of a uv.lock's own folder that its packages are built from: only those that the project names itself.

Called by `uv_packages`. Whoever writes a lock file must not choose which folder of a machine is built and run; it never
looks into anything but pyproject.toml files, beginning with the project's.
"""

from __future__ import annotations

import os.path
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import trust
from tox_wheelfarm.locks.project import Project

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1000
"""Folders that are looked into."""


def folder(root: Path, told: str) -> str:
    """The folder, made absolute.

    Args:
        root: the lock file's folder.
        told: as the lock file has it.

    Raises:
        DistrustError: it is no path, or outside of `root` and named by no pyproject.toml that leads there.
    """
    found = trust.folder(root, told)
    base = os.path.normpath(root.absolute())
    if found == base or found.startswith(base + os.sep) or _is_named(Path(base), found):
        return found
    raise trust.DistrustError(
        f"{told[:120]!r} is outside of the project, and no tool.uv.sources of it leads there; run `uv lock`"
    )


def _is_named(root: Path, wanted: str) -> bool:
    patterns = Project.read(root).tool("uv").table("workspace").strings("members")
    if any(fnmatch(wanted, os.path.normpath(root / pattern)) for pattern in patterns):
        return True
    waiting = [str(root), *(str(path) for pattern in patterns for path in _members(root, pattern))]
    seen: set[str] = set()
    while waiting and len(seen) < MOST:
        here = waiting.pop()
        if here == wanted:
            return True
        if here not in seen:
            seen.add(here)
            with suppress(LockFileError):  # what cannot be read names nothing
                waiting += [os.path.normpath(Path(here) / path) for path in _paths(Project.read(Path(here)))]
    return False


def _members(root: Path, pattern: str) -> list[Path]:
    with suppress(ValueError, NotImplementedError, IndexError):
        return list(root.glob(pattern))
    return []


def _paths(project: Project) -> Iterator[str]:
    sources = project.tool("uv").table("sources").values
    for value in sources.values():
        for one in value if isinstance(value, list) else [value]:
            path: Any = one.get("path") if isinstance(one, dict) else None
            if isinstance(path, str):
                yield path
    more = [*(project.extras or {}).values(), *project.groups.values()]
    for line in (*(project.dependencies or ()), *(line for lines in more for line in lines)):
        _, _, url = line.partition("file:")
        if url:
            yield unquote(urlsplit(f"file:{url.partition(' ')[0]}").path)
