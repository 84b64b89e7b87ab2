"""Asks GitHub what it could not deliver, and to deliver that again: of a repository's hook, or of an App.

Called by the task `wheelfarm.redelivery`. The newest pages of the list are read, as far back as GitHub keeps them or
the bound says. What is asked for again was decided by farm_scheduler.redelivery; a delivery itself is never read here.
"""

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError, FeedbackError
from farm_scheduler.redelivery import (
    LOOK_BACK,
    Attempt,
    Look,
    claim_failed,
    due_looks,
    refuse,
    settle_look,
)
from farm_scheduler.secret_box import SecretBox, secret_box
from farm_scheduler.settings import Settings
from farm_scheduler.tables import now
from farm_workers.feedback.exchange import ask, outgoing, send
from farm_workers.feedback.github_app import app_jwt
from farm_workers.feedback.requests import github_api, github_headers

LOG = logging.getLogger(__name__)

PAGE = 100
MOST_PAGES = 5
DOOR = "/webhooks/github"
NOT_NOW = frozenset({408, 425, 429})
"""Answers that are no refusal; beside those from 500 on, and none at all."""


def look_back(database: Database, settings: Settings) -> None:
    """Look through the deliveries of all projects that are due; one failure does not keep the others back."""
    looks = due_looks(database, settings)
    if not looks:
        return
    for look in looks:
        try:
            _look(database, settings, secret_box(settings), look)
        except FarmError as error:
            LOG.warning("the deliveries of %s were not looked through: %s", look.name, error)
            settle_look(database, look, error)
        else:
            settle_look(database, look, None)


def _look(database: Database, settings: Settings, box: SecretBox, look: Look) -> None:
    secret = box.open(look.sealed)
    parts = urlsplit(look.repository)
    api = github_api(f"{parts.scheme}://{parts.netloc}")
    if look.app_id is not None:
        headers, hook = github_headers(app_jwt(look.app_id, secret)), f"{api}/app/hook"
    else:
        headers = github_headers(secret)
        path = quote(parts.path.strip("/").removesuffix(".git"))
        hook = _hook(settings, f"{api}/repos/{path}/hooks", headers)
    attempts = list(_attempts(settings, hook, headers))
    for attempt in claim_failed(database, look, attempts):
        LOG.info("%s: GitHub is asked for %s again", look.name, attempt.guid)
        url = f"{hook}/deliveries/{attempt.number}/attempts"
        try:
            send(outgoing(url, headers), settings)
        except FarmError as error:
            refuse(database, attempt, error)
            raise


def _hook(settings: Settings, hooks: str, headers: Mapping[str, str]) -> str:
    """The address of the hook that leads to the farm.

    Raises:
        FeedbackError: the repository has none.
    """
    rows = ask(outgoing(f"{hooks}?per_page={PAGE}", headers, method="GET"), settings).document
    here = settings.public_url.rstrip("/")
    for each in rows if isinstance(rows, list) else []:
        config = each.get("config") if isinstance(each, dict) else None
        url = str(config.get("url", "")) if isinstance(config, dict) else ""
        if isinstance(each.get("id"), int) and url.endswith(DOOR) and url.startswith(here):
            return f"{hooks}/{each['id']}"
    raise FeedbackError(f"the repository has no webhook to {here}{DOOR}; add it at GitHub, or use an App")


def _attempts(settings: Settings, hook: str, headers: Mapping[str, str]) -> Iterator[Attempt]:
    """What GitHub tried to deliver, newest first."""
    cursor = ""
    for _ in range(MOST_PAGES):
        url = f"{hook}/deliveries?per_page={PAGE}{cursor}"
        answer = ask(outgoing(url, headers, method="GET"), settings)
        rows = answer.document if isinstance(answer.document, list) else []
        found = [each for row in rows if (each := _attempt(row)) is not None]
        yield from found
        # Of the address of the next page only the cursor is taken: no answer sends the token elsewhere.
        later = parse_qs(answer.next_page.partition("?")[2].partition("#")[0]).get("cursor")
        if not found or not later or found[-1].delivered < now() - LOOK_BACK:
            return
        cursor = f"&cursor={quote(later[0], safe='')}"


def _attempt(row: Any) -> Attempt | None:
    """One line of the list; None of what is none."""
    if not isinstance(row, dict):
        return None
    number, guid, code = row.get("id"), row.get("guid"), row.get("status_code")
    try:
        delivered = datetime.fromisoformat(str(row.get("delivered_at")))
    except ValueError:
        return None
    if not (isinstance(number, int) and isinstance(guid, str) and isinstance(code, int) and delivered.tzinfo):
        return None
    return Attempt(
        number=number,
        guid=guid[:200],
        kind=str(row.get("event") or "")[:100],
        delivered=delivered,
        arrived=200 <= code < 500 and code not in NOT_NOW,
    )
