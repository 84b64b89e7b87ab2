"""How long what an index said counts as fresh, by its Cache-Control (RFC 9111).

Called by the index proxy for its pages, and by sources for a release. It keeps nothing.
"""

import re

MOST_SECONDS = 86400.0
"""An index that calls a page fresh for longer is asked all the same: releases do come."""

_MAX_AGE = re.compile(r'(?:^|[,\s])max-age\s*=\s*"?(\d{1,10})"?\s*(?=,|$)', re.IGNORECASE)
_NEVER = re.compile(r"(?:^|[,\s])(?:no-cache|no-store)\s*(?=[,=]|$)", re.IGNORECASE)


def allowed_seconds(cache_control: str | None) -> float:
    """For how many seconds an answer with this header may be used without asking; 0 when it does not say."""
    header = (cache_control or "").strip()
    found = _MAX_AGE.search(header)
    if found is None or _NEVER.search(header):
        return 0.0
    return min(float(found[1]), MOST_SECONDS)
