"""What `/openapi.json` says of the doors: their headers, their body, their answers and problems.

Used by doors. It checks nothing: reception does, and the modules of the forges.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from farm_api.v1.problems import MEDIA_TYPE, Problem

HEADERS: Mapping[str, tuple[str, ...]] = {
    "github": ("X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery"),
    "gitlab": (
        "X-Gitlab-Token",
        "webhook-signature",
        "webhook-timestamp",
        "webhook-id",
        "X-Gitlab-Event-UUID",
    ),
    "forgejo": ("X-Forgejo-Signature", "X-Forgejo-Event", "X-Forgejo-Delivery"),
    "gitea": ("X-Gitea-Signature", "X-Gitea-Event", "X-Gitea-Delivery"),
    "bitbucket": ("X-Hub-Signature", "X-Event-Key", "X-Request-UUID"),
    "pagure": ("X-Pagure-Signature-256",),
    "pypi": ("webhook-signature", "webhook-timestamp", "webhook-id"),
}
"""What each forge's deliveries carry; GitLab has a token or a signature."""

PROBLEMS = {
    400: "The body is no JSON object, misses what its kind has, or did not come in its time.",
    401: "The delivery is not signed.",
    403: "The signature is wrong, or no project has this repository.",
    413: "The body is too large.",
    500: "The farm's own fault; its log says more.",
    503: "The record does not answer.",
}


class Taken(BaseModel):
    """What became of a delivery."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    outcome: str
    """`recorded`, `ignored` (it asks for nothing) or `known` (it came before)."""
    delivery: str
    """The forge's id of it."""
    events: list[str]
    """The ids of what was recorded."""
    reason: str | None
    """Why nothing follows, where nothing does."""


def answers() -> dict[int | str, dict[str, Any]]:
    """The answers of a door."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    told: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": content} for status, text in PROBLEMS.items()
    }
    return {
        200: {
            "model": Taken,
            "description": "This delivery came before, or its signed body; nothing was done.",
        },
        202: {"model": Taken, "description": "It is recorded."},
        **told,
    }


def request(forge: str) -> dict[str, Any]:
    """The headers and the body that a forge sends."""
    return {
        "parameters": [
            {"name": name, "in": "header", "required": forge != "gitlab", "schema": {"type": "string"}}
            for name in HEADERS[forge]
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    }
