"""The farm's mail server: what `WHEELFARM_SMTP_URL` says of it, or one sentence that says what to set.

Called by listeners, so that nobody is told by a mail that cannot be sent, and by the worker that sends it. It connects
to nothing, and no sentence holds a part of the setting: it has a password.
"""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from farm_scheduler.errors import InputError
from farm_scheduler.settings import Settings

PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail goes.

    Attributes:
        tls: from the first byte; else where the server offers it (STARTTLS).
        user: empty where the server asks for none.
    """

    host: str
    port: int
    tls: bool
    user: str
    password: str = field(repr=False)

    @property
    def is_here(self) -> bool:
        """Whether nobody is between the farm and it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def mail_server(settings: Settings) -> MailServer:
    """The mail server of this farm.

    Raises:
        InputError: it has none, or the setting cannot be read.
    """
    url = settings.smtp_url.get_secret_value()
    if not url:
        raise InputError(
            "this farm sends no mail; set WHEELFARM_SMTP_URL=smtps://USER:PASSWORD@HOST for it (docs/webhooks.md)"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS[parts.scheme]
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except (ValueError, KeyError):
        host, port, user, password = None, 0, "", ""
    whole = not (parts.path.strip("/") or parts.query or parts.fragment) if host else False
    if not host or not whole or bool(user) != bool(password) or not (user + password).isascii():
        raise InputError(
            "WHEELFARM_SMTP_URL cannot be read; write smtps://USER:PASSWORD@HOST:PORT or smtp://…, "
            "with %40 for an @ and %2F for a / of the password"
        )
    return MailServer(host=host, port=port, tls=parts.scheme == "smtps", user=user, password=password)
