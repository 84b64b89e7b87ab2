"""Sending: one request or one mail per report, with a time limit, and an error that says what to do.

Called by the task `wheelfarm.report`. Addresses are held against the same rule as git's: what is internal must be
allowed. An answer's body is never read; redirects are not followed.
"""

import logging
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import urlsplit

import httpx

from farm_scheduler.database import Database
from farm_scheduler.errors import FarmError, FeedbackError
from farm_scheduler.feedback import Telling, due_reports, plan_reports, settle_report
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.git_access import check_access
from farm_scheduler.guest_text import clean, clean_line
from farm_scheduler.secret_box import SecretBox, secret_box
from farm_scheduler.settings import Settings
from farm_workers.feedback.requests import Outgoing, status_request, webhook_request

LOG = logging.getLogger(__name__)

SECONDS = 15.0


def report_runs(database: Database, settings: Settings) -> None:
    """Record what is to be told, and tell what is due; one failure does not keep the others back."""
    plan_reports(database)
    tellings = due_reports(database, settings)
    if not tellings:
        return
    box = secret_box(settings)
    for telling in tellings:
        try:
            tell(telling, settings, box)
        except FarmError as error:
            LOG.warning("%s: %s", telling.report_id, error)
            settle_report(database, telling.report_id, error)
        else:
            settle_report(database, telling.report_id, None)


def tell(telling: Telling, settings: Settings, box: SecretBox) -> None:
    """Send one report.

    Raises:
        FeedbackError: it was not taken.
        FarmError: its address may not be asked, or its secret not be opened.
    """
    secret = box.open(telling.sealed) if telling.sealed else ""
    match telling.channel:
        case Channel.STATUS:
            _post(status_request(telling, secret), settings)
        case Channel.WEBHOOK:
            _post(webhook_request(telling, secret, telling.report_id), settings)
        case Channel.EMAIL:
            _mail(telling, settings)


def _post(request: Outgoing, settings: Settings) -> None:
    check_access(request.url, settings)
    host = urlsplit(request.url).netloc
    context = ssl.create_default_context()
    try:
        with (
            httpx.Client(verify=context, timeout=SECONDS, follow_redirects=False) as client,
            client.stream("POST", request.url, content=request.body, headers=dict(request.headers)) as answer,
        ):
            code = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        sentence = f"{host} was not told ({type(error).__name__}); it is tried again"
        raise FeedbackError(sentence, host=host) from error
    if not 200 <= code < 300:
        hint = "check the token and its rights" if code in {401, 403, 404} else "it is tried again"
        raise FeedbackError(f"{host} answered {code}; {hint}", host=host, status=code)


def _mail(telling: Telling, settings: Settings) -> None:
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
