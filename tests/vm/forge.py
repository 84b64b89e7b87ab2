"""A forge of the tests' own: one bare repository behind `git http-backend`, which tells a webhook of each push.

Used by the test of a whole push. Its webhook has the form of Gitea's recorded one, signed as Gitea signs; statuses are
taken as Gitea documents them. The git on both sides is the real one.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECONDS = 60
TOKEN = "token-of-the-forge"
OWNER, NAME = "me", "toy"
PAYLOAD = Path(__file__).parent.parent / "api/webhooks/payloads/gitea-push.json"
STATUSES = f"/api/v1/repos/{OWNER}/{NAME}/statuses/"
HOOK = """#!{python}
import hashlib, hmac, json, sys, urllib.request, uuid
for line in sys.stdin:
    before, after, ref = line.split()
    payload = json.loads({payload!r})
    payload["ref"], payload["before"], payload["after"] = ref, before, after
    payload["commits"] = [dict(payload["commits"][0], id=after)]
    payload["repository"]["clone_url"] = {url!r}
    body = json.dumps(payload, indent=1).encode()
    headers = {{
        "Content-Type": "application/json",
        "X-Gitea-Event": "push",
        "X-Gitea-Delivery": str(uuid.uuid4()),
        "X-Gitea-Signature": hmac.new({secret!r}.encode(), body, hashlib.sha256).hexdigest(),
    }}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
    request = urllib.request.Request({door!r}, data=body, headers=headers)
    print("webhook:", opener.open(request, timeout=30).status)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What somebody said of a commit."""

    commit: str
    context: str
    state: str
    description: str


@dataclass(kw_only=True)
class Forge:
    """The forge; `statuses` are those that it was told, in their order.

    Args:
        folder: an empty one.
    """

    folder: Path
    statuses: list[Status] = field(default_factory=list)
    _http: ThreadingHTTPServer = field(init=False)
    _thread: threading.Thread = field(init=False)

    @property
    def host(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        """What git clones."""
        return f"http://{self.host}/{OWNER}/{NAME}.git"

    def start(self) -> None:
        """Make the repository and serve it."""
        repository = self.folder / OWNER / f"{NAME}.git"
        run_git(self.folder, "init", "-q", "--bare", "-b", "main", str(repository))
        run_git(repository, "config", "http.receivepack", "true")
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=10)

    def tell(self, door: str, secret: str) -> None:
        """Have a webhook told of each push."""
        hook = self.folder / OWNER / f"{NAME}.git" / "hooks" / "post-receive"
        payload = PAYLOAD.read_text(encoding="utf-8")
        text = HOOK.format(python=sys.executable, payload=payload, url=self.url, secret=secret, door=door)
        hook.write_text(text, encoding="utf-8")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)

    def git(self, path: str, query: str, headers: Mapping[str, str], method: str, body: bytes) -> bytes:
        """One request to git's own server; its answer as CGI has it."""
        variables = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
            "GIT_PROTOCOL": headers.get("git-protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_USER": OWNER,
        }
        argv = ["git", "http-backend"]
        done = subprocess.run(
            argv, input=body, env=variables, capture_output=True, timeout=SECONDS, check=True
        )
        return done.stdout


def run_git(folder: Path, *words: str) -> str:
    """Run git in a folder, without a person's configuration; what it says."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    variables = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    argv = ["git", "-C", str(folder), *who, *words]
    done = subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() + done.stderr


def _handler(forge: Forge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve_git(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            if self.path.startswith(STATUSES):
                self._take_status(body)
            else:
                self._serve_git(body)

        def _take_status(self, body: bytes) -> None:
            right = self.headers["Authorization"] == f"token {TOKEN}"
            if right:
                told = json.loads(body)
                words = {name: told.get(name, "") for name in ("context", "state", "description")}
                forge.statuses.append(Status(commit=self.path.removeprefix(STATUSES), **words))
            self._answer(201 if right else 401, {}, b"{}")

        def _serve_git(self, body: bytes) -> None:
            path, _, query = self.path.partition("?")
            names = {name.lower(): value for name, value in self.headers.items()}
            head, _, answer = forge.git(path, query, names, self.command, body).partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self._answer(int(headers.pop("Status", "200").split()[0]), headers, answer)

        def _answer(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler
