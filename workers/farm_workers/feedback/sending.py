"""Sending: a few reports at a time, each with a time limit, and an error that says what to do.

Called by the task `wheelfarm.report`, which does not wait for slow receivers. Addresses are held against the same rule
as git's: what is internal must be allowed; redirects are not followed (exchange). What is told, and whether, was
decided before; nothing is decided here.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError, FeedbackError
from farm_scheduler.feedback import (
    TELLING_SECONDS,
    Taken,
    Telling,
    plan_reports,
    remember_post,
    settle_report,
    take_report,
    telling_of,
)
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.patience import patiently
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings
from farm_workers.feedback.checks import tell_check
from farm_workers.feedback.comments import tell_comment
from farm_workers.feedback.exchange import send, within
from farm_workers.feedback.github_app import InstallationTokens
from farm_workers.feedback.mailing import send_mail
from farm_workers.feedback.requests import status_request, webhook_request

LOG = logging.getLogger(__name__)

AT_A_TIME = 8
"""Listeners that are told something at a time; what waits there for an answer takes nothing else."""


class Reporter:
    """Tells what is due, in threads of its own; keeps the tokens that it was given meanwhile.

    Args:
        stop: set when nothing more is to be begun.
    """

    def __init__(self, database: Database, settings: Settings, stop: threading.Event | None = None) -> None:
        self._database, self._settings = database, settings
        self._stop = stop or threading.Event()
        self._tokens = InstallationTokens()
        self._places = threading.BoundedSemaphore(AT_A_TIME)
        self._threads = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="report")

    def report(self) -> list[Future[None]]:
        """Record what is to be told, and begin to tell what is due; what was begun, for whom it is worth a wait."""
        plan_reports(self._database)
        begun = []
        while not self._stop.is_set() and self._places.acquire(blocking=False):
            taken = take_report(self._database)
            if taken is None:
                self._places.release()
                break
            begun.append(self._threads.submit(self._tell_on, taken))
        return begun

    def _tell_on(self, taken: Taken | None) -> None:
        """Tell one report, then whatever else is due."""
        try:
            while taken is not None:
                self._settle(taken)
                taken = None if self._stop.is_set() else take_report(self._database)
        except SQLAlchemyError as error:
            LOG.warning("the record does not answer, the next round goes on: %s", error)
        finally:
            self._places.release()

    def _settle(self, taken: Taken) -> None:
        """Tell one report, and record how that ended: whatever is wrong with it is its own failure."""
        failure: FarmError | None = None
        try:
            telling = telling_of(self._database, self._settings, taken.id)
            if telling is None:
                return
            with within(TELLING_SECONDS):
                self._tell(telling)
        except FarmError as error:
            failure = error
            LOG.warning("%s: %s", taken.id, error)
        except Exception as error:  # noqa: BLE001 - a mistake in one report must not end all the others
            # Its text may hold what was to be sent, and with it a secret.
            LOG.error("%s raised an unexpected %s", taken.id, type(error).__name__)  # noqa: TRY400 - see above
            failure = FeedbackError(f"it could not be sent ({type(error).__name__}); it is tried again")
        patiently(partial(settle_report, self._database, taken, failure))

    def _tell(self, telling: Telling) -> None:
        """Send one report.

        Raises:
            FeedbackError: it was not taken.
            FarmError: its address may not be asked, or its secret not be opened.
        """
        settings = self._settings
        secret = secret_box(settings).open(telling.sealed) if telling.sealed else ""
        remember = partial(remember_post, self._database, telling)
        match telling.channel:
            case Channel.STATUS:
                send(status_request(telling, secret), settings)
            case Channel.CHECKS:
                tell_check(telling, secret, settings, self._tokens, remember)
            case Channel.COMMENT:
                tell_comment(telling, secret, settings, remember)
            case Channel.WEBHOOK:
                send(webhook_request(telling, secret, telling.report_id), settings)
            case Channel.EMAIL:
                send_mail(telling, settings)
