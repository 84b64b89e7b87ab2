"""Patience with the record: what must be written is written when the record is there again.

Called where an attempt or an event would otherwise be left to its lease: a database that is started anew, or a disk
that was full, costs nobody a result. What is tried again must be harmless when it has happened already.
"""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

Result = TypeVar("Result")

PATIENCE_SECONDS = 600.0
"""How long the record may be away. Beyond it the lease decides: whoever comes next does it again."""

PAUSE_SECONDS = 0.5
LOG = logging.getLogger(__name__)


def patiently(write: Callable[[], Result], *, seconds: float = PATIENCE_SECONDS) -> Result:
    """What `write` gives, tried again while the record does not answer.

    Raises:
        OperationalError: it did not answer for `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return write()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            LOG.warning("the record does not answer, it is tried again: %s", error.orig)
            time.sleep(PAUSE_SECONDS)
