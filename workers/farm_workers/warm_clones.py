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


class WarmClones:
    """The waiting machines, by the digest of their template's key; all methods may be called from any thread."""

    def __init__(self) -> None:
        self._waiting: dict[str, Machine] = {}
        self._filling: set[str] = set()
        self._lock = threading.Condition()
        self._closed = False

    def take(self, key: str) -> Machine | None:
        """The waiting clone of `key`, whose new owner must destroy it, or None.

        One that is just being made is waited for: it is there sooner than another would be.
        """
        with self._lock:
            self._lock.wait_for(lambda: key not in self._filling, timeout=TAKE_SECONDS)
            return self._waiting.pop(key, None)

    def fill(self, key: str, make: Callable[[], Machine | None]) -> None:
        """Have `make` prepare a clone in the background unless one waits or is being made."""
        with self._lock:
            if self._closed or key in self._waiting or key in self._filling:
                return
            self._filling.add(key)
        threading.Thread(target=self._fill, args=(key, make), daemon=True).start()

    def _fill(self, key: str, make: Callable[[], Machine | None]) -> None:
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
