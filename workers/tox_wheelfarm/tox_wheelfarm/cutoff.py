"""The moment that a cut-off means, as uv has it: what was uploaded at that moment or later is not seen.

Read by `past_index`, for the pip of Python 2.7, which knows no cut-off; elsewhere uv reads the same words itself. It
never decides what may be written: that is checked by `options`.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from tox_wheelfarm.errors import ResolutionError

TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d)"
)
DAY = re.compile(r"\d{4}-\d\d-\d\d")
WORDS = re.compile(r"(\d+) ?(second|minute|hour|day|week)s?", re.IGNORECASE)
PERIOD = re.compile(
    r"P(?=.)(?:(?P<weeks>[\d.]+)W)?(?:(?P<days>[\d.]+)D)?"
    r"(?:T(?:(?P<hours>[\d.]+)H)?(?:(?P<minutes>[\d.]+)M)?(?:(?P<seconds>[\d.]+)S)?)?"
)


def moment(text: str, now: datetime) -> datetime:
    """The moment that a cut-off means: a time itself, the end of a day where we are, or so long ago.

    Args:
        text: a date, a time (RFC 3339), or a span.
        now: what a span counts from.

    Raises:
        ResolutionError: it is none of these, or not in the calendar.
    """
    try:
        if DAY.fullmatch(text):
            return (datetime.fromisoformat(text) + timedelta(days=1)).astimezone()
        found = time(text)
        span = None if found else _span(text)
    except (ValueError, OverflowError) as wrong:
        raise ResolutionError(f"cutoff = {text!r} is no date: {wrong}") from None
    if found is None and span is None:
        raise ResolutionError(
            f"cutoff = {text!r} is no date: years and months have no fixed length; write `30 days`"
        )
    return found or now - (span or timedelta())


def time(text: str) -> datetime | None:
    """A time with its zone (RFC 3339, as indexes tell it too), or None.

    Raises:
        ValueError: it is not in the calendar.
    """
    told = TIME.fullmatch(text)
    if not told:
        return None
    zone = "+00:00" if told["zone"] in "Zz" else f"{told['zone'][:3]}:{told['zone'][-2:]}"
    fraction = f"{(told['fraction'] or '')[:6]:0<6}"
    found = f"{told['day']}T{told['minute']}{told['second'] or ':00'}.{fraction}{zone}"
    return datetime.fromisoformat(found).astimezone(timezone.utc)


def _span(text: str) -> timedelta | None:
    words = WORDS.fullmatch(text)
    if words:
        return timedelta(**{f"{words[2].lower()}s": int(words[1])})
    period = PERIOD.fullmatch(text.upper())
    return (
        timedelta(**{name: float(value) for name, value in period.groupdict("0").items()}) if period else None
    )
