"""A real Pagure on a local port, with a database and a folder of its own, for tests that need a forge.

`local_pagure()` starts one and ends it; `Pagure` makes projects in it, pushes to them over HTTP as anybody would, and
tells the flags of a commit. It runs in a root of its own (pagure_root), in namespaces that end with the test's process.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from .pagure_root import pagure_root

SERVICE = Path(__file__).with_name("pagure_service.py")
SECONDS = 120.0
ENTER = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mkdir -p "$1/dev/shm" && mount -t tmpfs tmpfs "$1/dev/shm"
mount --bind "$2" "$1/srv"
exec chroot "$1" /usr/bin/python3 /srv/pagure_service.py "$3" "$4"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PagureProject:
    """A project in it.

    Attributes:
        repository: the URL that git clones and pushes to, without a name or a token.
        secret: the key that its webhook is signed with.
    """

    name: str
    repository: str
    secret: str = field(repr=False)


class Pagure:
    """A client of a Pagure that runs.

    Attributes:
        host: `127.0.0.1:PORT`, for `WHEELFARM_GIT_HOSTS`.
        token: what the farm is given to set flags, of the user who owns the projects.
    """

    def __init__(self, url: str, tokens: dict[str, str], log: Path) -> None:
        self.url, self.log = url, log
        self.host = url.removeprefix("http://").rstrip("/")
        self.token = tokens["farm"]
        self._tokens = tokens

    def create_project(self, name: str, webhook: str | None = None) -> PagureProject:
        """Make a project; `webhook` is the address that hears of its pushes."""
        document = {"name": name, "description": name, "wait": True, "default_branch": "main"}
        self._ask("POST", "new", document)
        if webhook is not None:
            self.tell(name, webhook)
        secret = self._ask("GET", f"{name}/webhook/token")["webhook"]["token"]
        return PagureProject(name=name, repository=f"{self.url}{name}.git", secret=secret)

    def tell(self, name: str, webhook: str) -> None:
        """Give a project the address of its webhook."""
        self._ask("POST", f"{name}/options/update", {"Web-hooks": webhook, "pull_requests": True})

    def push(self, folder: Path, project: str, *refs: str, user: str = "farm") -> str:
        """Push what a working folder has to a project (`demo`, `forks/friend/demo`); the commit of its HEAD."""
        url = f"http://{user}:{self._tokens[user]}@{self.host}/{project}.git"
        whole = [
            "-c",
            "http.postBuffer=100000000",
            "-c",
            "protocol.version=2",
        ]  # in one piece: its server wants that
        git(folder, *whole, "push", "-q", url, *(refs or ("HEAD:refs/heads/main",)))
        return git(folder, "rev-parse", "HEAD")

    def fork(self, name: str, user: str = "friend") -> str:
        """Fork a project for somebody; the path of the fork."""
        self._ask("POST", "fork", {"repo": name, "wait": True}, user)
        return f"forks/{user}/{name}"

    def request_pull(self, project: str, branch: str, user: str = "farm", fork: str | None = None) -> int:
        """Ask for a branch to be taken into main; the number of the request."""
        document = {"title": branch, "branch_from": branch, "branch_to": "main", "initial_comment": ""}
        if fork is not None:
            document |= {"repo_from": project, "repo_from_username": fork.split("/")[1]}
        return int(self._ask("POST", f"{project}/pull-request/new", document, user)["id"])

    def flags(self, project: str, commit: str) -> list[dict[str, Any]]:
        """What it shows on a commit: `status`, `comment`, `username` and `url` of each flag."""
        return list(self._ask("GET", f"{project}/c/{commit}/flag")["flags"])

    def refused(self) -> int:
        """How many of its webhooks were answered with 403 until now."""
        return self.log.read_text(errors="replace").count("Error code: 403")

    def _ask(self, method: str, path: str, document: Any = None, user: str = "farm") -> Any:
        headers = {"Authorization": f"token {self._tokens[user]}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=SECONDS, trust_env=False) as client:
            answer = client.request(method, f"/api/0/{path}", json=document)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()


@contextlib.contextmanager
def local_pagure() -> Iterator[Pagure]:
    """A Pagure that is empty, and gone afterwards."""
    root = pagure_root()
    folder = Path(tempfile.mkdtemp(prefix="wheelfarm-pagure-"))
    shutil.copy(SERVICE, folder)
    (folder / "pagure").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        number = listener.fileno()
        space = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL"]
        space += [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        command = [*space, "sh", "-ec", ENTER, "pagure", str(root), str(folder), str(number), url]
        log = folder / "pagure" / "log"
        with log.open("ab") as sink:
            process = subprocess.Popen(
                command, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink,
                pass_fds=(number,), text=True,
            )  # fmt: skip
    try:
        yield _greet(process, url, log)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=20)
        process.stdout.close()
        shutil.rmtree(folder)


def _environment() -> dict[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": "/srv/pagure", "LC_ALL": "C.UTF-8", "C_FORCE_ROOT": "1"}


def _greet(process: "subprocess.Popen[str]", url: str, log: Path) -> Pagure:
    """The client, once the server answers."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"Pagure did not start:\n{log.read_text(errors='replace')[-3000:]}")
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            httpx.get(url + "api/0/version", timeout=SECONDS, trust_env=False).raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return Pagure(url, json.loads(line), log)


def git(folder: Path, *command: str) -> str:
    """Run git in a folder; what it said."""
    who = ["-c", "user.name=Farm", "-c", "user.email=farm@example.org", "-c", "credential.helper="]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *command], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
