"""Warm clones: at most one waiting machine per template, made after a lease for the next one.

Called by the holder. A waiting clone is greeted again when it is taken, for fresh entropy and the time; one that has
died meanwhile is dropped and another is made. It never makes templates.
"""

import logging
import threading
from collections.abc import Callable

from farm_images.errors import MachineError
from farm_images.machine import Machine

_LOG = logging.getLogger("farm.holder")
TAKE_SECONDS = 5.0

Key = tuple[str, str]
"""What a waiting clone is a clone of, and connected to: the digest of its template's key, its index proxy."""


class WarmClones:
    """The waiting machines; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Machine] = {}
        self._filling: set[Key] = set()
        self._lock = threading.Condition()
        self._closed = False

    def take(self, key: Key) -> Machine | None:
        """The waiting clone of `key`, whose new owner must destroy it, or None.

        One that is just being made is waited for: it is there sooner than another would be. Those of an index
        proxy that is no more are destroyed.
        """
        with self._lock:
            self._lock.wait_for(lambda: key not in self._filling, timeout=TAKE_SECONDS)
            stale = [each for each in self._waiting if each[1] != key[1]]
            without_index = [self._waiting.pop(each) for each in stale]
            machine = self._waiting.pop(key, None)
        for each in without_index:
            each.destroy()
        return machine

    def fill(self, key: Key, make: Callable[[], Machine | None]) -> None:
        """Have `make` prepare a clone in the background unless one waits or is being made."""
        with self._lock:
            if self._closed or key in self._waiting or key in self._filling:
                return
            self._filling.add(key)
        threading.Thread(target=self._fill, args=(key, make), daemon=True).start()

    def _fill(self, key: Key, make: Callable[[], Machine | None]) -> None:
        try:
            machine = make()
        except MachineError as error:
            _LOG.warning("no clone could be put aside: %s", error)
            machine = None
        with self._lock:
            self._filling.discard(key)
            keep = machine is not None and not self._closed and key not in self._waiting
            if machine is not None and keep:
                self._waiting[key] = machine
            self._lock.notify_all()
        if machine is not None and not keep:
            machine.destroy()

    def close(self) -> None:
        """Destroy every waiting clone, and those that are still being made when they are done."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting.values()), {}
        for machine in waiting:
            machine.destroy()
