"""Which requirements need a network that a guest does not have: version control and plain URLs.

Called by planning. It reads requirement lines and the requirement files that they name; it never resolves or
fetches anything.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator

from farm_scheduler.project_files import ProjectFiles

_URL = re.compile(r"(?:^|\s|@\s*|=)((?:(?:git|hg|svn|bzr)\+[a-z+]+|https?|ftp)://\S+)", re.IGNORECASE)
_OPTION = re.compile(r"^(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)")
_INDEX_OPTION = re.compile(r"^(?:-i|--index-url|--extra-index-url|-f|--find-links|--trusted-host)\b")


def network_requirement(deps: Iterable[str], files: ProjectFiles) -> str | None:
    """The first URL that these `deps` would fetch from, or None; requirement files are followed."""
    return next(_urls(deps, files, "", set()), None)


def _urls(lines: Iterable[str], files: ProjectFiles, folder: str, seen: set[str]) -> Iterator[str]:
    for raw in lines:
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line or _INDEX_OPTION.match(line):
            continue
        named = _OPTION.match(line)
        if named:
            path = _below_root(named[1], folder)
            text = files.text(path)
            if text is not None and path not in seen:
                seen.add(path)
                yield from _urls(text.split("\n"), files, posixpath.dirname(path), seen)
        elif found := _URL.search(line):
            yield found[1]


def _below_root(path: str, folder: str) -> str:
    for root in ("{toxinidir}/", "{tox_root}/", "./"):
        if path.startswith(root):
            return posixpath.normpath(path.removeprefix(root))
    return posixpath.normpath(posixpath.join(folder, path))
