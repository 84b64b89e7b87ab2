"""A GitHub of the tests' own: Apps, check runs, comments and hook deliveries, as GitHub documents them and no more.

It holds every request against what is documented (the proof, the rights of a token, 50 annotations at most, required
fields), and answers 4xx where GitHub would.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

APP = "4711"
TOKEN = "token-of-the-forge"
REPOSITORY = "/api/v3/repos/me/demo"
MOST_ANNOTATIONS = 50
STATES = {"queued", "in_progress", "completed"}
CONCLUSIONS = {"action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"}
Reply = tuple[int, Any]


class RefusedError(Exception):
    """GitHub would not take it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class GitHub:
    """The server. `deaf` lets what is asked for happen and gives no answer, that many times."""

    def __init__(self) -> None:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self._public = made.public_key()
        self.checks: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.attempts: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.redelivered: list[int] = []
        self.sold = 0
        self.token_seconds = 3600.0
        self.deaf: Callable[[str, str], bool] = lambda _method, _path: False
        self.page = 100
        self._tokens: set[str] = set()
        self._numbers = iter(range(1, 10_000))
        self.hook_url = "https://farm.example/webhooks/github"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.host = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "GitHub":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def count(self, method: str, ending: str) -> int:
        """How often something was asked for whose path ends so."""
        return sum(asked == method and path.endswith(ending) for asked, path in self.asked)

    def fail(self, guid: str, *, status: int = 0, minutes: float = 10, event: str = "push") -> int:
        """A delivery that failed; its number."""
        number = next(self._numbers)
        when = datetime.now(UTC) - timedelta(minutes=minutes)
        row = {"id": number, "guid": guid, "delivered_at": when.isoformat().replace("+00:00", "Z")}
        row |= {"status": "failed", "status_code": status, "event": event, "redelivery": False}
        self.attempts.insert(0, row)
        return number

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET")

            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def _answer(self, method: str) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                github.asked.append((method, parts.path))
                headers: dict[str, str] = {}
                try:
                    document = json.loads(body) if body else {}
                    bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    status, reply = github.take(method, parts.path, bearer, document, query, headers)
                except RefusedError as error:
                    status, reply = error.status, {"message": str(error)}
                if github.deaf(method, parts.path):
                    self.close_connection = True
                    return
                sent = json.dumps(reply).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    def take(
        self,
        method: str,
        path: str,
        bearer: str,
        document: Any,
        query: dict[str, str],
        headers: dict[str, str],
    ) -> Reply:
        """What is done and answered."""
        rest = path.removeprefix(REPOSITORY)
        if path.startswith("/api/v3/app/") or rest == "/installation":
            self._prove(bearer)
            return self._app(method, path.removeprefix("/api/v3"), rest, query, headers)
        if bearer not in self._tokens | {TOKEN}:
            raise RefusedError(401, "Bad credentials")
        if "/check-runs" in rest:
            if bearer == TOKEN:
                raise RefusedError(403, "You must authenticate via a GitHub App.")
            return self._check_runs(method, rest, document, query)
        if rest.startswith("/issues/"):
            return self._issues(method, rest, document, query)
        if rest.startswith("/hooks"):
            return self._hooks(method, rest.removeprefix("/hooks/9"), query, headers)
        raise RefusedError(404, "Not Found")

    def _prove(self, bearer: str) -> None:
        """The JWT: RS256 by the App's key, for ten minutes at most."""
        try:
            claims = jwt.decode(bearer, self._public, algorithms=["RS256"], issuer=APP)
        except jwt.PyJWTError as error:
            raise RefusedError(401, f"A JSON web token could not be decoded: {error}") from error
        if claims["exp"] - time.time() > 600 or claims["iat"] > time.time():
            raise RefusedError(401, "'Expiration time' claim ('exp') is too far in the future")

    def _app(
        self, method: str, path: str, rest: str, query: dict[str, str], headers: dict[str, str]
    ) -> Reply:
        if rest == "/installation":
            return 200, {"id": 77, "app_id": int(APP)}
        if (method, path) == ("POST", "/app/installations/77/access_tokens"):
            self.sold += 1
            token = f"ghs_{self.sold}"
            self._tokens.add(token)
            ends = datetime.now(UTC) + timedelta(seconds=self.token_seconds)
            return 201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return self._deliveries(method, path.removeprefix("/app/hook"), query, headers)

    def _check_runs(self, method: str, rest: str, document: Any, query: dict[str, str]) -> Reply:
        if method == "POST" and rest == "/check-runs":
            number = next(self._numbers)
            if not document.get("name") or not re.fullmatch("[0-9a-f]{40}", document.get("head_sha", "")):
                raise RefusedError(422, "name and head_sha are required")
            self.checks[number] = {"id": number, "app": {"id": int(APP)}, "annotations": []}
            return 201, self._change(self.checks[number], document)
        if found := re.fullmatch(r"/commits/([0-9a-f]{40})/check-runs", rest):
            rows = [each for each in self.checks.values() if each["head_sha"] == found[1]]
            rows = [each for each in rows if each["name"] == query.get("check_name", each["name"])]
            return 200, {"total_count": len(rows), "check_runs": rows}
        if (found := re.fullmatch(r"/check-runs/(\d+)(/annotations)?", rest)) is None:
            raise RefusedError(404, "Not Found")
        check = self.checks.get(int(found[1]))
        if check is None:
            raise RefusedError(404, "Not Found")
        if found[2]:
            begin = (int(query.get("page", "1")) - 1) * int(query.get("per_page", "30"))
            return 200, check["annotations"][begin : begin + int(query.get("per_page", "30"))]
        return 200, self._change(check, document)

    def _change(self, check: dict[str, Any], document: Any) -> dict[str, Any]:
        """Take the fields of a check run, annotations beside those that are there."""
        output = document.get("output", {})
        added = output.pop("annotations", [])
        if len(added) > MOST_ANNOTATIONS:
            raise RefusedError(422, "No more than 50 items")
        needed = ("path", "start_line", "end_line", "annotation_level", "message")
        if any(each.get(name) in {None, ""} for each in added for name in needed):
            raise RefusedError(422, "an annotation lacks a field")
        if output and not (output.get("title") and output.get("summary")):
            raise RefusedError(422, "output needs title and summary")
        if document.get("status") not in STATES or document.get("conclusion", "success") not in CONCLUSIONS:
            raise RefusedError(422, "no such word")
        check["annotations"] += added
        check.update(document)
        return check

    def _issues(self, method: str, rest: str, document: Any, query: dict[str, str]) -> Reply:
        if found := re.fullmatch(r"/issues/(\d+)/comments", rest):
            if method == "GET":
                rows = [each for each in self.comments.values() if each["issue"] == found[1]]
                begin = (int(query["page"]) - 1) * int(query["per_page"])
                return 200, rows[begin : begin + int(query["per_page"])]
            number = next(self._numbers)
            self.comments[number] = {"id": number, "issue": found[1], "body": document["body"]}
            return 201, self.comments[number]
        number = int(rest.rpartition("/")[2])
        if number not in self.comments:
            raise RefusedError(404, "Not Found")
        self.comments[number]["body"] = document["body"]
        return 200, self.comments[number]

    def _hooks(self, method: str, rest: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
        if rest == "/hooks":
            other = {"id": 8, "config": {"url": "https://other.example/hook"}}
            return 200, [other, {"id": 9, "config": {"url": self.hook_url}}]
        return self._deliveries(method, rest, query, headers)

    def _deliveries(self, method: str, rest: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
        if (method, rest) == ("GET", "/deliveries"):
            begin = int(query.get("cursor", "v0").removeprefix("v"))
            end = begin + min(self.page, int(query.get("per_page", "30")))
            if end < len(self.attempts):
                # Of a repository GitHub names another path than was asked for.
                url = (
                    f"http://{self.host}/api/v3/repositories/1/hooks/9/deliveries?per_page=100&cursor=v{end}"
                )
                headers["Link"] = f'<{url}>; rel="next"'
            return 200, self.attempts[begin:end]
        found = re.fullmatch(r"/deliveries/(\d+)/attempts", rest)
        if method != "POST" or found is None:
            raise RefusedError(404, "Not Found")
        self.redelivered.append(int(found[1]))
        return 202, {}
