"""A GitHub App: its key signs a short word, which buys a token for one repository's installation.

Called by checks and redelivery. Tokens are kept in memory until shortly before they end, by App and repository, and
are nowhere else; the key is opened for one signature at a time. It never asks for more than the App has.
"""

import hashlib
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt

from farm_scheduler.errors import FeedbackError
from farm_scheduler.settings import Settings
from farm_workers.feedback.exchange import ask, outgoing
from farm_workers.feedback.requests import github_headers

JWT_SECONDS = 540
"""GitHub takes ten minutes at most; its clock may be a little behind."""

SLACK_SECONDS = 300.0
"""A token is not used any more so shortly before its end."""

MOST_TOKENS = 1000


class InstallationTokens:
    """The tokens of installations that are valid now; one for all threads of a worker."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, float]] = {}

    def token(self, settings: Settings, app_id: str, key: str, api: str, repository: str) -> str:
        """A token for a repository, which is its URL in the API.

        `app_id` is the App's id or client id, `key` its private key (PEM), `api` the address of GitHub's API.

        Raises:
            FeedbackError: the App has no access, or the key is none.
        """
        # Another key of the same App buys tokens of its own: an old one may have been withdrawn.
        name = hashlib.sha256("\0".join((app_id, key, repository)).encode()).hexdigest()
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and kept[1] > time.time() + SLACK_SECONDS:
            return kept[0]
        token, ends = _buy(settings, app_jwt(app_id, key), api, repository)
        with self._lock:
            if len(self._kept) >= MOST_TOKENS:
                self._kept.clear()
            self._kept[name] = (token, ends)
        return token

    def forget(self, token: str) -> None:
        """Do not use this token any more: GitHub refused it."""
        with self._lock:
            self._kept = {name: kept for name, kept in self._kept.items() if kept[0] != token}


def app_jwt(app_id: str, key: str) -> str:
    """What proves that the App asks: valid for a few minutes.

    Raises:
        FeedbackError: the key is no private RSA key.
    """
    now = int(time.time())
    try:
        return jwt.encode({"iat": now - 60, "exp": now + JWT_SECONDS, "iss": app_id}, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        sentence = "the key of the GitHub App signs nothing; give its private key again with --checks"
        raise FeedbackError(sentence) from error


def _buy(settings: Settings, proof: str, api: str, repository: str) -> tuple[str, float]:
    headers = github_headers(proof)
    found = _object(ask(outgoing(f"{repository}/installation", headers, method="GET"), settings).document)
    number = found.get("id")
    if not isinstance(number, int):
        raise FeedbackError("GitHub names no installation; install the App in the repository")
    url = f"{api}/app/installations/{number}/access_tokens"
    made = _object(ask(outgoing(url, headers), settings).document)
    token, ends = made.get("token"), made.get("expires_at")
    if not isinstance(token, str) or not isinstance(ends, str):
        raise FeedbackError("GitHub gave no token for the App's installation; it is tried again")
    try:
        return token, datetime.fromisoformat(ends).timestamp()
    except ValueError as error:
        raise FeedbackError("GitHub gave a token without an end; it is tried again") from error


def _object(document: Any) -> Mapping[str, Any]:
    return document if isinstance(document, dict) else {}
