"""How many requests one caller may make: a bucket of tokens each, which fills with time.

Called by callers, through shared_rates. It is kept in the memory of this process; it never delays a request, and never
grows beyond its bound.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from farm_scheduler.errors import TooBusyError

MOST_CALLERS = 10_000
"""Callers that are remembered; who was away longest is forgotten first, and begins anew."""

HOUR = 3600.0


class Rates:
    """Buckets by caller; safe between threads.

    Args:
        per_minute: requests that a caller may make in a minute, in one burst or spread.
        clock: seconds, never going back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = float(per_minute)
        self._rate = per_minute / 60
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_first_in_hour(self, caller: str) -> bool:
        """Whether the caller was not seen for an hour: then the record is told of it."""
        moment = self._clock()
        with self._lock:
            before = self._seen.get(caller)
            if before is not None and moment - before < HOUR:
                return False
            self._seen[caller] = moment
            while len(self._seen) > MOST_CALLERS:
                self._seen.popitem(last=False)
            return True

    def close(self) -> None:
        """Let go of what is open: nothing here."""

    def take(self, caller: str, cost: float = 1.0) -> None:
        """Count a request.

        Raises:
            TooBusyError: the caller has made too many; `retry_after` says when one more is allowed.
        """
        moment = self._clock()
        with self._lock:
            left, before = self._buckets.pop(caller, (self._room, moment))
            left = min(self._room, left + (moment - before) * self._rate)
            allowed = left >= cost
            self._buckets[caller] = (left - cost if allowed else left, moment)
            while len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        if not allowed:
            raise refusal((cost - left) / self._rate)


def refusal(seconds: float) -> TooBusyError:
    """The error for a request that is allowed in so many seconds."""
    wait = math.floor(seconds) + 1
    return TooBusyError(f"too many requests; wait {wait} s, and ask less often", retry_after=wait)
