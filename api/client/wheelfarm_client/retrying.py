"""Which requests are made again, when, and how often: the ones that cannot do anything twice.

Called by connection. It decides and computes; it never waits and never sends.
"""

import random
from typing import Optional

AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which a request is made again."""

FIRST_SECONDS = 0.25
LONGEST_SECONDS = 20.0


def may_repeat(method: str, *, has_key: bool) -> bool:
    """Whether a request may be made again when nobody knows what became of it.

    All but POST say what should be, so that twice is as good as once; a POST has an Idempotency-Key for that.
    """
    return method != "POST" or has_key


def is_worth_it(status: int, code: str) -> bool:
    """Whether an answer may be another in a moment."""
    return status in AGAIN or (status == 409 and code == "idempotency")


def pause_seconds(tried: int, retry_after: Optional[str]) -> float:
    """How long to wait after the try of this number (from 0): what the server says, or longer each time."""
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), LONGEST_SECONDS)
    whole = min(FIRST_SECONDS * 2.0**tried, LONGEST_SECONDS)
    return whole * (0.5 + random.random() / 2)  # noqa: S311 - spreads clients, and keeps no secret
