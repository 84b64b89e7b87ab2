"""Whether something that is up still answers: asked now and then, in a thread, as who hangs keeps its asker waiting.

Used by pages. It ends and starts nothing.
"""

import threading
from collections.abc import Callable

ASK_SECONDS = 5.0
MOST_MISSES = 3
"""In a row: one may be a host with too much to do."""


class Pulse:
    """The answers of one process, until it is closed.

    Args:
        answers: whether it answers; comes back in a few seconds, whatever happens.
    """

    def __init__(self, answers: Callable[[], bool]) -> None:
        self._answers = answers
        self._misses = 0
        self._over = threading.Event()
        threading.Thread(target=self._watch, name="pulse", daemon=True).start()

    @property
    def is_lost(self) -> bool:
        """Whether it has not answered for so long that it hangs."""
        return self._misses >= MOST_MISSES

    def close(self) -> None:
        """Ask no more; waits for nothing."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(ASK_SECONDS):
            self._misses = 0 if self._answers() else self._misses + 1
