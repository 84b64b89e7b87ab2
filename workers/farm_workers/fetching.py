"""Fetching: sources of events and submissions, so many at a time that the worker's other threads stay free.

Called by the tasks `wheelfarm.event` and `wheelfarm.submission`. With all places at work a message is dropped: whoever
fetches looks into the record for the next itself, and the sweep sends what is left again. It never decides what becomes
of a source: farm_scheduler's events and submissions do.
"""

import threading

from celery import Celery

from farm_scheduler.events import handle_event
from farm_scheduler.fetch_queue import Fetch, next_fetch
from farm_scheduler.submissions import carry_out
from farm_workers.run import Hands
from farm_workers.sweep import worker_name


class Fetching:
    """The places of one worker."""

    def __init__(self, hands: Hands, app: Celery, stop: threading.Event) -> None:
        self._hands, self._app, self._stop = hands, app, stop
        self._lock = threading.Lock()
        self._at_work: list[Fetch] = []

    def fetch(self) -> None:
        """Fetch what waits, one after the other, until nothing more may begin; nothing to do is no error."""
        hands = self._hands
        while not self._stop.is_set() and (found := self._next()) is not None:
            carry = handle_event if found.is_event else carry_out
            try:
                carry(hands.database, self._app, hands.settings, found.id, worker=worker_name())
            finally:
                with self._lock:
                    self._at_work.remove(found)

    def _next(self) -> Fetch | None:
        """What to fetch, with a place for it."""
        with self._lock:
            found = next_fetch(self._hands.database, self._at_work)
            if found is not None:
                self._at_work.append(found)
            return found
