"""The requests by which forges are told a commit's status, one function per forge, and the signed webhook.

Called by sending. Each is a value: what is sent can be seen and tested without a forge. None has a secret in its URL,
and texts are cut to what the forge takes.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit

from farm_scheduler.feedback import Telling
from farm_workers.feedback.exchange import Outgoing, outgoing

NAME = "wheelfarm"
LONGEST_TEXT = 140
"""Characters of a description that every forge takes."""


def status_request(telling: Telling, token: str) -> Outgoing:
    """The request that gives a commit its status.

    Raises:
        KeyError: the forge is unknown.
        ValueError: the project has no repository, or its run no commit.
    """
    if telling.repository is None or telling.revision is None:
        raise ValueError("a status needs a repository and a commit")
    return FORGES[telling.forge or ""](telling, token)


def webhook_request(telling: Telling, secret: str, message_id: str) -> Outgoing:
    """The farm's own webhook: Standard Webhooks, so that any library for it can check it."""
    summary = telling.summary
    body = json.dumps(
        {
            "type": "run.finished",
            "project": telling.project,
            "run": summary.run_id,
            "outcome": summary.outcome,
            "text": summary.text,
            "trigger": telling.trigger,
            "ref": telling.ref,
            "revision": telling.revision,
            "failing": list(summary.failing),
            "url": summary.url or None,
        }
    ).encode()
    sent = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{sent}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": sent,
        "webhook-signature": "v1," + base64.b64encode(signed).decode("ascii"),
    }
    return Outgoing(url=telling.place or "", headers=headers, body=body)


def forge_place(telling: Telling) -> tuple[str, str]:
    """The forge's address, and the repository's path there."""
    parts = urlsplit(telling.repository or "")
    return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/").removesuffix(".git")


def github_api(address: str) -> str:
    """Where the API of a GitHub is, github.com's or an Enterprise server's."""
    return "https://api.github.com" if address == "https://github.com" else f"{address}/api/v3"


def github_repository(telling: Telling) -> str:
    """The URL of a repository in GitHub's API."""
    home, path = forge_place(telling)
    return f"{github_api(home)}/repos/{quote(path)}"


def github_headers(token: str) -> dict[str, str]:
    """The headers that GitHub documents, with a token or a JWT."""
    version = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    return {"Authorization": f"Bearer {token}", **version}


def _text(telling: Telling) -> str:
    text = telling.summary.text
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _github(telling: Telling, token: str) -> Outgoing:
    words = {"cancelled": "error"}
    outcome = telling.summary.outcome
    document = {
        "state": words.get(outcome, outcome),
        "target_url": telling.summary.url,
        "description": _text(telling),
        "context": NAME,
    }
    url = f"{github_repository(telling)}/statuses/{telling.revision}"
    return outgoing(url, github_headers(token), document)


def _gitea(telling: Telling, token: str) -> Outgoing:
    home, path = forge_place(telling)
    outcome = telling.summary.outcome
    document = {
        "state": {"cancelled": "warning"}.get(outcome, outcome),
        "target_url": telling.summary.url,
        "description": _text(telling),
        "context": NAME,
    }
    url = f"{home}/api/v1/repos/{quote(path)}/statuses/{telling.revision}"
    return outgoing(url, {"Authorization": f"token {token}"}, document)


def _gitlab(telling: Telling, token: str) -> Outgoing:
    home, path = forge_place(telling)
    words = {"failure": "failed", "error": "failed", "cancelled": "canceled"}
    outcome = telling.summary.outcome
    pull = telling.trigger == "pull-request"
    document = {
        "state": words.get(outcome, outcome),
        "name": NAME,
        "ref": None if pull else telling.ref,
        "target_url": telling.summary.url,
        "description": _text(telling),
    }
    url = f"{home}/api/v4/projects/{quote(path, safe='')}/statuses/{telling.revision}"
    return outgoing(url, {"PRIVATE-TOKEN": token}, document)


def _bitbucket(telling: Telling, token: str) -> Outgoing:
    _, path = forge_place(telling)
    words = {"pending": "INPROGRESS", "success": "SUCCESSFUL", "cancelled": "STOPPED"}
    summary = telling.summary
    document = {
        "key": NAME,
        "name": NAME,
        "state": words.get(summary.outcome, "FAILED"),
        "description": _text(telling),
        "url": summary.url or telling.repository,  # it refuses a status without one
    }
    url = f"https://api.bitbucket.org/2.0/repositories/{quote(path)}/commit/{telling.revision}/statuses/build"
    return outgoing(url, {"Authorization": f"Bearer {token}"}, document)


def _pagure(telling: Telling, token: str) -> Outgoing:
    home, path = forge_place(telling)
    words = {"cancelled": "canceled"}
    summary = telling.summary
    document = {
        "username": NAME,
        "uid": hashlib.sha256(summary.run_id.encode()).hexdigest()[:32],
        "comment": _text(telling),
        "status": words.get(summary.outcome, summary.outcome),
        "url": summary.url or telling.repository,  # it refuses a flag without one
    }
    url = f"{home}/api/0/{quote(path)}/c/{telling.revision}/flag"
    return outgoing(url, {"Authorization": f"token {token}"}, document)


FORGES: Mapping[str, Callable[[Telling, str], Outgoing]] = {
    "github": _github,
    "gitlab": _gitlab,
    "forgejo": _gitea,
    "gitea": _gitea,
    "bitbucket": _bitbucket,
    "pagure": _pagure,
}
"""How each forge is told."""
