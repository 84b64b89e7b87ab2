"""Mail: one report to one address, by the farm's mail server, within a time that no slow answer makes longer.

Called by sending. A password goes over TLS with a certificate that was checked, or to a server on this host; without
one TLS is taken where it is offered, with whatever certificate, as between mail servers. What a server answers is
never told: it may repeat what it was sent.
"""

import contextlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

from farm_scheduler.errors import FeedbackError
from farm_scheduler.feedback import Telling
from farm_scheduler.guest_text import clean, clean_line
from farm_scheduler.mail_server import MailServer, mail_server
from farm_scheduler.settings import Settings

CONNECT_SECONDS = 5.0
"""For each address of the mail server."""

SILENT_SECONDS = 8.0
"""How long the mail server may be silent."""

ALL_SECONDS = 45.0
"""How long one mail may take from its connection on: with that it stays within the time of a telling."""


class _Connection(smtplib.SMTP):
    """SMTP over a connection that is there already."""

    def __init__(self, server: MailServer, connection: socket.socket) -> None:
        self._there = connection
        super().__init__(server.host, server.port, timeout=SILENT_SECONDS)

    def _get_socket(self, *_: Any) -> socket.socket:
        return self._there


def send_mail(telling: Telling, settings: Settings) -> None:
    """Mail one report to its address.

    Raises:
        InputError: the farm has no mail server.
        FeedbackError: it did not take it.
    """
    server, message = mail_server(settings), _message(telling, settings)
    begun = time.monotonic()
    try:
        with socket.create_connection((server.host, server.port), CONNECT_SECONDS) as connection:
            begun = time.monotonic()
            connection.settimeout(SILENT_SECONDS)
            with _cut_after(connection, ALL_SECONDS):
                _send(message, server, connection)
    except smtplib.SMTPAuthenticationError:
        sentence = f"the mail server {server.host} refused the user or password; set WHEELFARM_SMTP_URL right"
        raise FeedbackError(sentence, host=server.host) from None
    except (OSError, ValueError, smtplib.SMTPException) as error:
        # smtplib makes a disconnection of a silence while it reads
        silent = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
        slow = silent or time.monotonic() - begun >= ALL_SECONDS
        what = " ".join([type(error).__name__, *filter(None, [str(getattr(error, "smtp_code", ""))])])
        sentence = f"the mail server {server.host} did not take it ({what}); it is tried again"
        raise FeedbackError(sentence, host=server.host, slow=slow) from None


def _send(message: EmailMessage, server: MailServer, connection: socket.socket) -> None:
    context = _tls(server)
    if server.tls:
        connection = context.wrap_socket(connection, server_hostname=server.host)
    with _Connection(server, connection) as smtp:
        smtp.ehlo_or_helo_if_needed()
        if not server.tls:
            if smtp.has_extn("starttls"):
                smtp.starttls(context=context)
            elif server.password and not server.is_here:
                sentence = (
                    f"the mail server {server.host} offers no STARTTLS, and a password is not sent without"
                )
                raise FeedbackError(f"{sentence}; write smtps:// in WHEELFARM_SMTP_URL", host=server.host)
        if server.password:
            smtp.login(server.user, server.password)
        smtp.send_message(message)


def _tls(server: MailServer) -> ssl.SSLContext:
    """How the server shows who it is: by a certificate where that matters."""
    context = ssl.create_default_context()
    if server.is_here or not (server.tls or server.password):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def _cut_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection after so long, whatever is read or written then: smtplib bounds each silence only."""
    twin = connection.dup()  # TLS takes the first one's place, and its descriptor

    def cut() -> None:
        with contextlib.suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    clock = threading.Timer(seconds, cut)
    clock.start()
    try:
        yield
    finally:
        clock.cancel()
        clock.join()
        twin.close()


def _message(telling: Telling, settings: Settings) -> EmailMessage:
    message, summary = EmailMessage(), telling.summary
    message["From"], message["To"] = settings.mail_from, telling.place
    message["Subject"] = clean_line(f"{telling.project} {telling.ref or ''}: {summary.outcome}")
    message["Message-ID"] = f"<{telling.report_id}@wheelfarm>"
    failing = "".join(f"  {each}\n" for each in summary.failing)
    text = f"{summary.text}\n{failing}\ncommit {telling.revision or '-'}\n{summary.url}\n"
    message.set_content(clean(text))
    return message
