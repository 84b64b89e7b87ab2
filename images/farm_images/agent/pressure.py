"""A resource that a job keeps asking for beyond its bound: a fork bomb, or processes that are killed again and again.

Used by `watch`, which ends the job then instead of waiting for its time to run out. It never minds what the
kernel refused once or twice: tests try such things, and whether they fail over it is for `job` to see.
"""

from collections.abc import Callable, Mapping

LOOK_SECONDS = 1.0
LASTING_LOOKS = 5


class Pressure:
    """What the kernel refused, looked at once a second."""

    def __init__(self, refusals: Callable[[], Mapping[str, int]], *, now: float) -> None:
        self._refusals = refusals
        self._seen = dict(refusals())
        self._grown = dict.fromkeys(self._seen, 0)
        self._looked = now

    def lasting(self, now: float) -> str | None:
        """The resource that was refused anew at each of the last five looks; `now` in monotonic seconds."""
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        for name, count in self._refusals().items():
            self._grown[name] = self._grown.get(name, 0) + 1 if count > self._seen.get(name, 0) else 0
            self._seen[name] = count
        return next((name for name, looks in self._grown.items() if looks >= LASTING_LOOKS), None)
