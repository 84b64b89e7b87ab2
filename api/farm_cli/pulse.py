"""Whether something that is up still goes on: it writes a byte into a pipe now and then.

Used by pages; the server of them writes (`farm_api.server --pulse`). Nothing is asked over the network, where others
can take all connections. It ends and starts nothing.
"""

import contextlib
import os
import time

SILENT_SECONDS = 30.0
"""A host with too much to do lets a process wait for some seconds."""


class Pulse:
    """The pulse of one process, until it is closed. `end` is the descriptor that the process is given."""

    def __init__(self) -> None:
        self._beats, self.end = os.pipe()
        for descriptor in (self._beats, self.end):
            os.set_blocking(descriptor, False)
        self._heard = time.monotonic()

    @property
    def is_lost(self) -> bool:
        """Whether nothing was heard for so long that it hangs; to be looked at more often than that."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._beats, 4096):
                self._heard = time.monotonic()
        return time.monotonic() - self._heard > SILENT_SECONDS

    def close(self) -> None:
        """Give both ends back."""
        os.close(self._beats)
        os.close(self.end)
