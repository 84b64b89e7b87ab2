"""How many requests one caller may make of all servers of a farm together, counted in its Redis.

Built by the applications in place of rates, which counts for one process and steps in while Redis does not answer: a
farm without a queue can still be read. Nothing here waits longer than a moment, and no request is refused because it
could not be counted.
"""

import logging
import time

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from farm_api.v1.rates import Rates, refusal
from farm_scheduler.settings import Settings

LOG = logging.getLogger(__name__)

KEY = "wheelfarm:rate:"
ANSWER_SECONDS = 0.2
"""How long Redis may take; it is on this host, or near."""

APART_SECONDS = 5.0
"""For so long each process counts for itself, after Redis did not answer."""

COUNT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
if full > now + tonumber(ARGV[2]) then full = now + tonumber(ARGV[2]) end
full = full + tonumber(ARGV[1])
local wait = full - now - tonumber(ARGV[2])
if wait > 0 then return string.format('%.3f', wait) end
redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000))
return '0'
"""
"""A bucket as the moment at which it would be empty again (the generic cell rate algorithm), told by Redis's clock.

ARGV: the seconds that this request takes to refill, and those that a whole bucket does, which also bound what a clock
that was set back may cost. Answers the seconds to wait.
"""


class SharedRates(Rates):
    """Buckets by caller that all servers with one Redis share; safe between threads.

    Args:
        settings: with the bound, and where Redis is.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.requests_per_minute)
        self._each = 60 / settings.requests_per_minute
        self._redis = _client(settings)
        self._count = self._redis.register_script(COUNT) if self._redis is not None else None
        self._apart_until = 0.0

    def take(self, caller: str, cost: float = 1.0) -> None:
        """Count a request. Raises TooBusyError as Rates does."""
        wait = self._ask(caller, cost)
        if wait is None:
            super().take(caller, cost)
        elif wait > 0:
            raise refusal(wait)

    def close(self) -> None:
        """Let go of Redis."""
        if self._redis is not None:
            self._redis.close()

    def _ask(self, caller: str, cost: float) -> float | None:
        """The seconds to wait, 0 for a request that is counted; None where Redis does not count."""
        if self._count is None or time.monotonic() < self._apart_until:
            return None
        try:
            answer = self._count(keys=[KEY + caller], args=[cost * self._each, 60.0])
            self._apart_until = 0.0
            return float(str(answer))
        except (RedisError, OSError) as error:
            if not self._apart_until:
                LOG.warning("each server counts requests for itself: Redis does not answer (%s)", error)
            self._apart_until = time.monotonic() + APART_SECONDS
            return None


def _client(settings: Settings) -> "Redis | None":
    """Redis itself, behind the URL that Celery has; None for kinds of URLs that only Celery knows."""
    url = settings.redis_url or f"unix://{settings.redis_socket}"
    if url.startswith("redis+socket://"):
        url = "unix://" + url.removeprefix("redis+socket://").partition("?")[0]
    if not url.startswith(("redis://", "rediss://", "unix://")):
        return None
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )
