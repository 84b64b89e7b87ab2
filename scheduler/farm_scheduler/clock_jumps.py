"""A host's clock that was set back: times that lie in the future of the new clock are brought to it.

Called by the sweep. A clock that was set forward needs nothing: leases expire early, and their jobs are tried again. It
changes no time that says when something was.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Mapped
from sqlmodel import SQLModel, col

from farm_scheduler.access_tables import Submission
from farm_scheduler.database import Database
from farm_scheduler.event_tables import Event
from farm_scheduler.events import lease_of_event
from farm_scheduler.feedback_tables import Report
from farm_scheduler.settings import Settings
from farm_scheduler.submissions import LEASE as SUBMISSION_LEASE
from farm_scheduler.tables import Attempt, Job, Question, now
from farm_scheduler.worker_lives import WorkerLife

NOTICED_SECONDS = 1.0
Times = Sequence[tuple[type[SQLModel], Mapped[Any]]]

WAITS: Times = (
    (Job, col(Job.not_before)),
    (Event, col(Event.not_before)),
    (Report, col(Report.not_before)),
    (WorkerLife, col(WorkerLife.seen)),
)
SENT: Times = ((Event, col(Event.published)), (Submission, col(Submission.published)))


class ClockWatch:
    """Compares the time of day with the monotonic clock from one look to the next."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def was_set_back(self) -> bool:
        """Whether the time of day went back since the last look."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return self._ahead < before - NOTICED_SECONDS


def forget_the_future(database: Database, settings: Settings) -> None:
    """Have nothing wait for a time of the clock as it was: waits end now, leases as if they were given now."""
    moment = now()
    ours = moment + timedelta(seconds=settings.lease_seconds)
    leases: Sequence[tuple[type[SQLModel], Mapped[Any], datetime]] = (
        (Attempt, col(Attempt.lease_expires), ours),
        (Question, col(Question.lease_expires), ours),
        (Event, col(Event.lease_expires), moment + lease_of_event(settings)),
        (Submission, col(Submission.lease_expires), moment + SUBMISSION_LEASE),
        (Report, col(Report.taken), moment),
    )
    with database.write_connection() as connection:
        for table, wait in WAITS:
            connection.execute(update(table).where(wait > moment).values({wait: moment}))
        for table, lease, latest in leases:
            connection.execute(update(table).where(lease > latest).values({lease: latest}))
        for table, sent in SENT:
            connection.execute(update(table).where(sent > moment).values({sent: None}))
