"""The cut-off of a run: the moment after which a file on the package index does not exist for it.

Read from people and from `[tool.wheelfarm]`; the index proxy enforces it. It is kept in UTC and never guessed from the
zone of a host.
"""

from datetime import UTC, date, datetime, time, timedelta

from farm_scheduler.clock import now
from farm_scheduler.errors import PlanError

MOST_AHEAD = timedelta(days=2)
"""The end of today, wherever on earth today is."""


def read_cutoff(said: str | date | datetime) -> datetime:
    """The moment in UTC. A day counts to its end; a time without a zone is one in UTC.

    Raises:
        PlanError: it is neither a day (`2026-01-31`) nor a time (RFC 3339), or a day that is still to come.
    """
    try:
        found = _parsed(said) if isinstance(said, str) else said
        if not isinstance(found, datetime):
            found = datetime.combine(found, time.min) + timedelta(days=1)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        shown = str(said)[:60]
        sentence = f"the cut-off {shown!r} is no day; write it as 2026-01-31, or as 2026-01-31T12:00:00Z"
        raise PlanError(sentence, cutoff=shown) from error
    if found > now() + MOST_AHEAD:
        sentence = f"the cut-off {str(said)[:60]!r} is still to come; leave it out for the index as it is"
        raise PlanError(sentence, cutoff=str(said)[:60])
    return found


def _parsed(text: str) -> date | datetime:
    return date.fromisoformat(text) if len(text) == len("2026-01-31") else datetime.fromisoformat(text)
