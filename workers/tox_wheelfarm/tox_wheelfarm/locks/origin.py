"""Where a release comes from when it is not an index: a repository, an archive or a folder.

Made by the formats that carry such entries (poetry, pdm, pipenv). It never fetches; what is not exact (a branch, a
shortened commit) or smells of another program's option is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tox_wheelfarm.locks.entry import Entry

COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SCP = re.compile(r"(?P<host>(?:[\w.-]+@)?[\w.-]+):(?P<path>[^/:][^:]*)")
UNSAFE = re.compile(r"[\s\x00-\x1f\x7f\\\"'`<>|;]")
GIT_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})
ARCHIVE_SCHEMES = frozenset({"https", "http", "file"})


@dataclass(frozen=True)
class Origin:
    """A direct reference, as `Pin` holds it.

    Attributes:
        reference: `git+URL@commit`, a URL, or an absolute path; "" for an index.
        editable: whether a folder is installed in place.
        subdirectory: below the repository or archive, or "".
    """

    reference: str = ""
    editable: bool = False
    subdirectory: str = ""


INDEX = Origin()
"""Nothing direct: the release comes from an index."""


def repository(entry: Entry, url: str, commit: str, subdirectory: str, root: Path) -> Origin:
    """A git repository at one commit.

    Args:
        entry: for messages.
        url: with a scheme, `user@host:path`, or a path relative to `root`.
        commit: in full.
        subdirectory: of the package, or "".
        root: the lock file's folder.

    Raises:
        LockFileError: the commit is not one, or the URL is none that git may be given.
    """
    if not COMMIT.fullmatch(commit):
        raise entry.wrong(f"{commit[:80]!r} is not a full commit: lock again with the tool that made it")
    url = url.removeprefix("git+")
    if "::" in url:
        # git would run another program for it (`ext::…`).
        raise entry.wrong(f"{url[:80]!r} is no URL of a repository")
    scp = SCP.fullmatch(url)
    if scp and "://" not in url:
        url = f"ssh://{scp['host']}/{scp['path']}"
    elif "://" not in url:
        url = Path(folder(entry, url, root).reference).as_uri()
    return Origin(f"git+{_checked(entry, url, GIT_SCHEMES)}@{commit}", False, _below(entry, subdirectory))


def archive(entry: Entry, url: str, subdirectory: str = "") -> Origin:
    """A file at a URL.

    Raises:
        LockFileError: it is no URL that an installer may be given.
    """
    return Origin(_checked(entry, url, ARCHIVE_SCHEMES), False, _below(entry, subdirectory))


def folder(entry: Entry, path: str, root: Path, *, editable: bool = False, subdirectory: str = "") -> Origin:
    """A folder or a file on this machine; a relative path is relative to the lock file.

    Raises:
        LockFileError: it is no path.
    """
    if not path or path.startswith("-") or any(ord(letter) < 32 for letter in path) or len(path) > 1000:
        raise entry.wrong(f"{path[:80]!r} is no path")
    # Symbolic links stay: an editable install shows the path that people know.
    absolute = Path(_flat(PurePosixPath(Path(root).absolute().as_posix()) / path.replace("\\", "/")))
    return Origin(str(absolute), editable, _below(entry, subdirectory))


def _flat(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            # Above the root is the root.
            parts = parts[:-1] if len(parts) > 1 else parts
        elif part != ".":
            parts.append(part)
    return str(PurePosixPath(*parts))


def _checked(entry: Entry, url: str, schemes: frozenset[str]) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise entry.wrong(f"{url[:80]!r} is no URL") from None
    host = parts.netloc.rpartition("@")[2]
    if (
        parts.scheme not in schemes
        or UNSAFE.search(url)
        or host.startswith("-")
        or parts.path.startswith("-")
    ):
        known = ", ".join(sorted(schemes))
        raise entry.wrong(f"{url[:80]!r} is no URL that is installed from (known: {known})")
    if parts.scheme != "file" and not host:
        raise entry.wrong(f"{url[:80]!r} names no host")
    return url


def _below(entry: Entry, subdirectory: str) -> str:
    if UNSAFE.search(subdirectory) or subdirectory.startswith(("/", "-")):
        raise entry.wrong(f"{subdirectory[:80]!r} is no folder below a repository")
    if ".." in PurePosixPath(subdirectory).parts:
        raise entry.wrong(f"the subdirectory {subdirectory[:80]!r} leaves the repository")
    return subdirectory.strip("/") if subdirectory not in {".", "./"} else ""
