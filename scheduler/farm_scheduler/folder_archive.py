"""A project's folder as a source archive: what git knows of it, or everything but the usual litter.

Called by sources. git is run with a configuration of the farm's own, so that nothing the folder says (hooks,
file system monitors, filters, external diffs) is run; links stay links, and what is no file is left out.
"""

import gzip
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from farm_scheduler.disk_room import FULL
from farm_scheduler.errors import SourceError

TOP = "source"
"""The one top folder of the archive."""

GIT_SECONDS = 60
"""How long git may take to list a folder."""

MAX_FILES = 200_000

FILE_TIME = 315_619_200
"""The time of every file, in seconds since 1970: 1980-01-02, as the ZIP format of wheels knows none before 1980."""

LITTER = frozenset(
    {
        ".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "__pycache__", ".mypy_cache", ".pytest_cache",
        ".ruff_cache", ".hypothesis", ".eggs", "node_modules", ".direnv",
    }
)  # fmt: skip
"""Folders that are not part of a project, where git does not say what is."""

NOT_FOR_GUESTS = frozenset({"hooks", "logs", "config", "config.worktree", "FETCH_HEAD", "modules"})
"""Parts of `.git` that stay here: the configuration may hold a token, and git does without them."""

_GIT_OPTIONS = (
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false",
    "-c", "core.pager=cat", "-c", "safe.directory=*", "-c", "protocol.allow=never",
)  # fmt: skip


def write_folder_archive(folder: Path, into: io.BufferedIOBase, limit: int) -> None:
    """Write a tar.gz of a project's folder.

    With git: the tracked and the not ignored files as they are on disk, and `.git` when it is a folder of
    this one, as versions often come from tags. Same content, same bytes: all files have one time and one owner.

    Raises:
        SourceError: git fails or takes too long, a file cannot be read, or it is larger than `limit` bytes.
        OSError: the disk of `into` is full.
    """
    paths = _git_paths(folder)
    if paths is None:
        paths = _walk(folder, LITTER)
    elif (folder / ".git").is_dir():
        paths += [Path(".git") / each for each in _walk(folder / ".git", NOT_FOR_GUESTS)]
    written = 0
    try:
        with (
            gzip.GzipFile("", "wb", 3, into, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.addfile(_folder_entry())
            for path in sorted(paths):
                written += _add(archive, folder, path, limit - written)
    except _LargerError as error:
        sentence = f"{folder} holds more than {limit} bytes; raise WHEELFARM_SOURCE_BYTES to allow it"
        raise SourceError(sentence, folder=str(folder), limit=limit) from error
    except OSError as error:
        if error.errno in FULL:
            raise
        sentence = f"{error.filename or folder} cannot be read ({error.strerror}); make it readable"
        raise SourceError(sentence, folder=str(folder)) from error


class _LargerError(Exception):
    """There is no room for a file, which is not read then."""


def _add(archive: tarfile.TarFile, folder: Path, path: Path, room: int) -> int:
    """Add one path; returns its bytes. What is not there any more or is no file or link is left out.

    Raises:
        _LargerError: it has more bytes than there is `room` for.
    """
    full = folder / path
    # git names what its index holds, also below a folder that has become a link to elsewhere on this host.
    if any((folder / parent).is_symlink() for parent in path.parents[:-1]):
        return 0
    try:
        found = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    entry = tarfile.TarInfo(f"{TOP}/{path.as_posix()}")
    entry.mtime = FILE_TIME
    entry.mode = 0o755 if found.st_mode & stat.S_IXUSR else 0o644
    if stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, str(full.readlink())
        if _leaves(path, entry.linkname):
            return 0
        archive.addfile(entry)
        return 0
    if not stat.S_ISREG(found.st_mode):
        return 0
    with full.open("rb") as stream:
        entry.size = os.fstat(stream.fileno()).st_size
        if entry.size > room:
            raise _LargerError
        archive.addfile(entry, stream)
    return entry.size


def _leaves(path: Path, target: str) -> bool:
    """Whether a link points out of the folder: of no use in a guest, and refused there."""
    joined = os.path.normpath(Path(TOP, path).parent / target)
    return target.startswith("/") or Path(joined).parts[:1] != (TOP,)


def _folder_entry() -> tarfile.TarInfo:
    entry = tarfile.TarInfo(TOP)
    entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, FILE_TIME
    return entry


def _walk(folder: Path, without: frozenset[str]) -> list[Path]:
    found: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in without and not name.endswith(".egg-info")]
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        kept = [name for name in files if name not in without]
        found += [(here / name).relative_to(folder) for name in [*kept, *links]]
        _refuse_many(len(found), folder)
    return found


def _git_paths(folder: Path) -> list[Path] | None:
    """The paths that git names, or None when it names none: no git folder, git not there, or all is ignored.

    A repository around the folder may ignore it: one of dotfiles in the home folder, or `build/`.
    """
    inside = _git(folder, "rev-parse", "--is-inside-work-tree")
    if inside is None or inside.strip() != b"true":
        return None
    listed = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None:
        sentence = f"git cannot list the files of {folder}; run git status there"
        raise SourceError(sentence, folder=str(folder))
    names = [name for name in listed.split(b"\0") if name]
    if not names:
        return None
    _refuse_many(len(names), folder)
    return list(_expanded(folder, [Path(os.fsdecode(name)) for name in names]))


def _expanded(folder: Path, paths: list[Path]) -> Iterator[Path]:
    """Git names an inner repository or submodule by its folder: take what is in it."""
    for path in dict.fromkeys(paths):
        if (folder / path).is_dir() and not (folder / path).is_symlink():
            yield from (path / each for each in _walk(folder / path, LITTER))
        else:
            yield path


def _refuse_many(count: int, folder: Path) -> None:
    if count > MAX_FILES:
        sentence = f"{folder} holds more than {MAX_FILES} files; give the project's own folder"
        raise SourceError(sentence, folder=str(folder), files=count)


def _git(folder: Path, *command: str) -> bytes | None:
    """What git prints, or None when it fails.

    Raises:
        SourceError: it takes too long.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    try:
        done = subprocess.run(
            ["git", *_GIT_OPTIONS, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=GIT_SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired as error:
        sentence = f"git took more than {GIT_SECONDS} s to list {folder}; run git status there"
        raise SourceError(sentence, folder=str(folder)) from error
    return done.stdout if done.returncode == 0 else None
