"""A git repository, fetched to a folder that is thrown away once it is packed.

Called by sources, in a process that may wait: never in the API. git runs with a configuration of the farm's own: no
hooks, no filters, no submodules, no helper for passwords, no redirects, and no protocol but the one of the
URL. Time and bytes are bounded; nothing of the project is run.
"""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from farm_scheduler.errors import IndexUnavailableError, SourceError, TargetError
from farm_scheduler.folder_archive import MAX_FILES
from farm_scheduler.targets import RepositoryTarget

POLL_SECONDS = 0.1
TRIES = 3
PAUSE_SECONDS = 1.0
"""Before the next try, when a connection broke: git itself gives up at the first."""
SAID_BYTES = 4096
"""Of what git says, the end that is kept."""

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_WHOLE_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_UNKNOWN = (
    "not found",
    "does not appear to be a git repository",
    "does not exist",
    "terminal prompts disabled",
)
_BROKEN = re.compile(
    r"recv failure|send failure|connection reset|empty reply|early eof|unexpected disconnect|transfer closed"
    r"|returned error: (?:429|5\d\d)",
    re.IGNORECASE,
)
"""What git and curl say of a connection or a server that may do better the next time."""
_OPTIONS = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.askPass=", "-c", "credential.helper=",
    "-c", "core.sshCommand=false", "-c", "core.attributesFile=/dev/null", "-c", "submodule.recurse=false",
    "-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30", "-c", "protocol.allow=never", "-c", "gc.auto=0",
    "-c", "http.followRedirects=false", "-c", "transfer.bundleURI=false", "-c", "fetch.uriProtocols=",
    "-c", "advice.detachedHead=false", "-c", "fetch.parallel=1", "-c", "safe.directory=*",
)  # fmt: skip
_KEPT = (
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
)
"""Variables of this host that git keeps: the way to the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a clone may cost: seconds for all of it, bytes on the disk."""

    seconds: float
    bytes: int


def clone(target: RepositoryTarget, folder: Path, bounds: Bounds, options: Sequence[str] = ()) -> str:
    """Clone into an empty folder and check out the wanted commit; returns its full hash.

    `options` are git's own for this URL, as git_access gives them. A commit that no branch or tag has (that of a pull
    request) is asked for by its hash.

    Raises:
        TargetError: there is no such repository, branch, tag or commit.
        SourceError: it is larger than allowed, or holds too many files.
        IndexUnavailableError: the server did not answer, or not in time.
    """
    git = _Git(target, folder, bounds, options)
    git.run(
        "fetch the repository",
        "clone", "--quiet", "--no-checkout", "--no-local", "--no-hardlinks", "--template=", "--no-recurse-submodules",
        "--", target.url, str(folder),
    )  # fmt: skip
    commit = git.find()
    git.run("check the commit out", "-C", str(folder), "checkout", "--quiet", "--detach", "--force", commit)
    return commit


def look_up(target: RepositoryTarget, folder: Path, bounds: Bounds, options: Sequence[str] = ()) -> str:
    """The commit that a tag or branch names at the server, without fetching it; `folder` is an empty one.

    Raises:
        TargetError: there is no such repository, or it has no such tag or branch.
        IndexUnavailableError: the server did not answer, or not in time.
    """
    git = _Git(target, folder, bounds, options)
    wanted = ["HEAD"] if target.ref is None else [
        f"refs/tags/{target.ref}^{{}}", f"refs/tags/{target.ref}", f"refs/heads/{target.ref}"
    ]  # fmt: skip
    said = git.run("ask", "ls-remote", "--quiet", "--", target.url, *wanted)
    found = {name: commit for commit, _, name in (line.partition("\t") for line in said.splitlines())}
    for name in wanted:
        if name in found and _WHOLE_COMMIT.fullmatch(found[name]):
            return found[name]
    raise git.unknown()


class _Git:
    """The commands of one clone, under its bounds."""

    def __init__(
        self, target: RepositoryTarget, folder: Path, bounds: Bounds, options: Sequence[str]
    ) -> None:
        self._target = target
        self._access = options
        self._folder = folder
        self._bounds = bounds
        self._end = time.monotonic() + bounds.seconds

    def find(self) -> str:
        """The commit that is meant: a tag before a branch, a branch before a hash.

        Raises:
            TargetError: there is none of that name.
        """
        ref = self._target.ref
        names = ["HEAD"] if ref is None else [f"refs/tags/{ref}", f"refs/remotes/origin/{ref}"]
        if ref is not None and _COMMIT.fullmatch(ref):
            names.append(ref)
        for name in names:
            if commit := self._commit(name):
                return commit
        if ref is not None and _WHOLE_COMMIT.fullmatch(ref) and self._fetch(ref):
            return ref
        raise self.unknown()

    def unknown(self) -> TargetError:
        """The error that what is wanted is not there."""
        url, ref = self._target.url, self._target.ref
        what = f"branch, tag or commit {ref}" if ref else "commit that its HEAD names"
        return TargetError(f"{url} has no {what}; check the spelling", url=url, ref=ref)

    def _commit(self, name: str) -> str | None:
        command = ("-C", str(self._folder), "rev-parse", "--verify", "--quiet", "--end-of-options")
        code, said = self._start([*command, name + "^{commit}"])
        return said.strip() if code == 0 else None

    def _fetch(self, commit: str) -> bool:
        """Fetch a commit by its hash; whether it is there then.

        Raises:
            IndexUnavailableError: the connection broke: whether it is there is not known.
        """
        command = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin", commit)
        code, said = self._try(["-C", str(self._folder), *command])
        if code and _BROKEN.search(said):
            raise self._unavailable(f"fetch {commit} of", said)
        return code == 0 and self._commit(commit) == commit

    def run(self, what: str, *command: str) -> str:
        """One command that must succeed; the end of what it said.

        Raises:
            TargetError: the repository is not there.
            IndexUnavailableError: it failed for another reason.
        """
        code, said = self._try(command)
        if code == 0:
            return said
        last = " ".join(said.split())[-300:]
        if "redirect" in said.lower() or "returned error: 30" in said:
            sentence = (
                f"{self._target.url} leads on to another address; give that one, often with .git at its end"
            )
            raise TargetError(sentence, url=self._target.url, said=last)
        if any(word in said.lower() for word in _UNKNOWN):
            sentence = f"there is no repository at {self._target.url} that everybody may read; check the URL"
            raise TargetError(sentence, url=self._target.url, said=last)
        raise self._unavailable(what, said)

    def _unavailable(self, what: str, said: str) -> IndexUnavailableError:
        last = " ".join(said.split())[-300:]
        sentence = f"git could not {what} {self._target.url} ({last}); check the URL, or try again later"
        return IndexUnavailableError(sentence, url=self._target.url)

    def _try(self, command: Sequence[str]) -> tuple[int, str]:
        """Run git, and again while a connection breaks; a failed clone has left its folder empty."""
        code, said = self._start(command)
        for _ in range(TRIES - 1):
            if code == 0 or not _BROKEN.search(said):
                break
            time.sleep(PAUSE_SECONDS)
            code, said = self._start(command)
        return code, said

    def _start(self, command: Sequence[str]) -> tuple[int, str]:
        """Run git in a process group of its own; its exit code, and the end of what it said."""
        scheme = urlsplit(self._target.url).scheme
        argv = ["git", *_OPTIONS, *self._access, "-c", f"protocol.{scheme}.allow=always", *command]
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_variables(scheme),
                    start_new_session=True,
                )  # fmt: skip
            except FileNotFoundError as error:
                raise SourceError(
                    "git is not installed on this host; install it, or give a folder"
                ) from error
            try:
                self._watch(process)
            finally:
                _end(process)
            size = output.seek(0, os.SEEK_END)
            output.seek(max(0, size - SAID_BYTES))
            return process.returncode, output.read().decode("utf-8", "replace")

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                process.wait(timeout=POLL_SECONDS)
            except subprocess.TimeoutExpired:
                self._refuse_excess()
            else:
                self._refuse_excess()
                return

    def _refuse_excess(self) -> None:
        url = self._target.url
        if time.monotonic() > self._end:
            sentence = f"git took more than {self._bounds.seconds:g} s for {url}; raise WHEELFARM_GIT_SECONDS"
            raise IndexUnavailableError(sentence, url=url, seconds=self._bounds.seconds)
        files, size = _measure(self._folder, self._bounds.bytes)
        if size > self._bounds.bytes:
            sentence = (
                f"{url} holds more than {self._bounds.bytes} bytes; raise WHEELFARM_SOURCE_BYTES to allow it"
            )
            raise SourceError(sentence, url=url, limit=self._bounds.bytes)
        if files > MAX_FILES:
            raise SourceError(f"{url} holds more than {MAX_FILES} files; give a smaller project", url=url)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Take the whole group down: git has helpers of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=30)


def _variables(scheme: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _measure(folder: Path, limit: int) -> tuple[int, int]:
    """Files and bytes below a folder; counting stops beyond a limit. What vanishes meanwhile does not count."""
    files = size = 0
    waiting = [folder]
    while waiting and size <= limit and files <= MAX_FILES:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return files, size
