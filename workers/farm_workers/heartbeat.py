"""The heartbeat of one attempt: renews its lease in the record, and hears whether it is still wanted.

Started by run for each job, in a thread of its own, because a job waits for machines. It never ends a job
itself: the runner looks at `standing`.
"""

import logging
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from farm_scheduler.claims import Claim, Standing, renew, standing_of
from farm_scheduler.database import Database

POLL_SECONDS = 0.5
"""How soon a cancellation is heard."""

LOG = logging.getLogger(__name__)


class Heartbeat:
    """Beats while its block lasts.

    Attributes:
        standing: the last answer; only ever goes from wanted to something else.
    """

    def __init__(self, database: Database, claim: Claim, lease_seconds: float) -> None:
        self.standing = Standing.WANTED
        self._database = database
        self._claim = claim
        self._lease_seconds = lease_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat {claim.attempt_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _beat(self) -> None:
        renewed = time.monotonic()
        while self.standing is Standing.WANTED and not self._over.wait(POLL_SECONDS):
            try:
                if time.monotonic() - renewed > self._lease_seconds / 5:
                    self.standing = renew(self._database, self._claim, lease_seconds=self._lease_seconds)
                    renewed = time.monotonic()
                else:
                    self.standing = standing_of(self._database, self._claim)
            except SQLAlchemyError as error:
                # The record may be busy or away for a moment; the lease outlives that, and says so if not.
                LOG.warning("the record does not answer for %s: %s", self._claim.attempt_id, error)
