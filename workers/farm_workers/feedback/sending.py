"""Sending: one report after the other, with a time limit, and an error that says what to do.

Called by the task `wheelfarm.report`. Addresses are held against the same rule as git's: what is internal must be
allowed; redirects are not followed (exchange). What is told, and whether, was decided before; nothing is decided here.
"""

import logging
import smtplib
from email.message import EmailMessage
from functools import partial
from urllib.parse import urlsplit

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError, FeedbackError
from farm_scheduler.feedback import (
    AT_ONCE,
    Telling,
    plan_reports,
    remember_post,
    settle_report,
    take_report,
)
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.guest_text import clean, clean_line
from farm_scheduler.secret_box import SecretBox, secret_box
from farm_scheduler.settings import Settings
from farm_workers.feedback.checks import tell_check
from farm_workers.feedback.comments import tell_comment
from farm_workers.feedback.exchange import SECONDS, send
from farm_workers.feedback.github_app import InstallationTokens
from farm_workers.feedback.requests import status_request, webhook_request

LOG = logging.getLogger(__name__)


class Reporter:
    """Tells what is due; keeps the tokens that it was given meanwhile."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self._tokens = InstallationTokens()

    def report(self) -> None:
        """Record what is to be told, and tell what is due; one failure does not keep the others back."""
        plan_reports(self._database)
        box: SecretBox | None = None
        for _ in range(AT_ONCE):
            telling = take_report(self._database, self._settings)
            if telling is None:
                return
            try:
                box = box or secret_box(self._settings)
                self._tell(telling, box)
            except FarmError as error:
                LOG.warning("%s: %s", telling.report_id, error)
                settle_report(self._database, telling.report_id, error)
            else:
                settle_report(self._database, telling.report_id, None)

    def _tell(self, telling: Telling, box: SecretBox) -> None:
        """Send one report.

        Raises:
            FeedbackError: it was not taken.
            FarmError: its address may not be asked, or its secret not be opened.
        """
        settings = self._settings
        secret = box.open(telling.sealed) if telling.sealed else ""
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


def send_mail(telling: Telling, settings: Settings) -> None:
    """Mail one report to its address.

    Raises:
        FeedbackError: the farm has no mail server, or it did not take it.
    """
    parts = urlsplit(settings.smtp_url)
    if not parts.hostname:
        raise FeedbackError("the farm sends no mail; set WHEELFARM_SMTP_URL and WHEELFARM_MAIL_FROM")
    message = EmailMessage()
    summary = telling.summary
    message["From"], message["To"] = settings.mail_from, telling.place
    message["Subject"] = clean_line(f"{telling.project} {telling.ref or ''}: {summary.outcome}")
    message["Message-ID"] = f"<{telling.report_id}@wheelfarm>"
    failing = "".join(f"  {each}\n" for each in summary.failing)
    text = f"{summary.text}\n{failing}\ncommit {telling.revision or '-'}\n{summary.url}\n"
    message.set_content(clean(text))
    kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
    try:
        with kind(parts.hostname, parts.port or 0, timeout=SECONDS) as server:
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        sentence = (
            f"the mail server {parts.hostname} did not take it ({type(error).__name__}); it is tried again"
        )
        raise FeedbackError(sentence, host=parts.hostname) from error
