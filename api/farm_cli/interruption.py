"""Ctrl-C, SIGTERM and SIGHUP as one thing: the person wants out.

Called by the commands that hold the service. The first wish becomes a KeyboardInterrupt where the command is ready
for it, the second one at once and anywhere. Nothing here ends the process.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """How often a person asked to stop; `held` puts the first time off."""

    def __init__(self) -> None:
        self.wishes = 0
        self._held = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the length of the block; only in the main thread."""
        # Under nohup a closed terminal is no wish to stop.
        ignored = [signal.SIGHUP] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else []
        wanted = [number for number in SIGNALS if number not in ignored]
        before = {number: signal.signal(number, self._wish) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A block that is not torn apart: it looks at `wishes` itself; only the second one is not put off."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def _wish(self, _number: int, _frame: FrameType | None) -> None:
        self.wishes += 1
        if not self._held or self.wishes > 1:
            raise KeyboardInterrupt
