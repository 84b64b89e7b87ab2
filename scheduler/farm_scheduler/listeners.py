"""Listeners: who is told of a project's runs, added and taken away by a person.

Called by the command and the API. A token or a secret is sealed at once, and never shown again. It tells nobody
anything.
"""

import base64
import re
import secrets
from collections.abc import Mapping
from email.policy import SMTP

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlmodel import Session, col, select

from farm_scheduler.errors import InputError
from farm_scheduler.feedback_tables import Channel, Listener
from farm_scheduler.git_access import check_url
from farm_scheduler.mail_server import mail_server
from farm_scheduler.projects import FORGES
from farm_scheduler.secret_box import SecretBox
from farm_scheduler.settings import Settings
from farm_scheduler.tables import Project
from farm_scheduler.url_parts import read_url

ADDRESS = re.compile(r"[^\s\x00-\x1f\x7f@<>,;:\"()\[\]\\]+@[^\s\x00-\x1f\x7f@<>,;:\"()\[\]\\]+")
TOKEN = re.compile(r"[!-~]{8,500}")
URL = re.compile(r"https?://[!-~]{1,2000}")
LONGEST_ADDRESS = 254
"""Characters of an address of mail (RFC 5321, 4.5.3.1.3)."""

APP = re.compile(r"[A-Za-z0-9._-]{1,60}")

OF_FORGES: Mapping[Channel, tuple[str, ...]] = {
    Channel.STATUS: FORGES,
    Channel.CHECKS: ("github",),
    Channel.COMMENT: ("github", "gitlab", "forgejo", "gitea"),
}
"""The channels that are the project's forge, and which forges have them."""

INSTEAD: Mapping[Channel, tuple[Channel, ...]] = {
    Channel.STATUS: (Channel.CHECKS,),
    Channel.CHECKS: (Channel.STATUS,),
}


def add_listener(
    session: Session,
    box: SecretBox,
    project: Project,
    channel: Channel,
    *,
    place: str | None = None,
    token: str | None = None,
) -> str | None:
    """Tell somebody from now on, in place of who was told by this channel before.

    `place` is the URL of a webhook, the address of mail, or the id of a GitHub App; `token` the forge's token, or the
    App's private key. Statuses and checks take each other's place. Returns the secret that a webhook is signed with:
    the only time that it can be seen.

    Raises:
        InputError: the address or the token cannot be used, or the project has no forge.
    """
    secret = None
    if channel in OF_FORGES:
        _check_forge(project, channel, place, token)
    elif channel is Channel.WEBHOOK:
        check_webhook(place)
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    elif place is None or not is_address(place):
        raise InputError(f"{(place or '')[:100]!r} is no address of mail; give NAME@HOST")
    for other in (channel, *INSTEAD.get(channel, ())):
        stop_listener(session, project, other)
    sealed = box.seal(token or secret or "")
    session.add(Listener(project_id=project.id, channel=channel, place=place, sealed=sealed))
    return secret


def check_farm(channel: Channel, place: str | None, settings: Settings) -> None:
    """Refuse what this farm, by its settings, could never tell.

    Raises:
        InputError: it has no mail server; the webhook's URL is none, or holds a secret.
        TargetError: it does not ask that address.
    """
    if channel is Channel.WEBHOOK:
        check_url(check_webhook(place), settings)
    elif channel is Channel.EMAIL:
        mail_server(settings)


def listeners_of(session: Session, project: Project) -> list[Listener]:
    """Who is told, by channel."""
    chosen = select(Listener).where(Listener.project_id == project.id)
    return list(session.exec(chosen.order_by(col(Listener.channel))))


def _check_forge(project: Project, channel: Channel, place: str | None, token: str | None) -> None:
    """Whether a project's forge can be told so, with what was given. Raises as add_listener."""
    if project.repository is None:
        raise InputError(f"{project.name} has no repository, so no commit to give a status to")
    if project.forge not in OF_FORGES[channel]:
        known = ", ".join(OF_FORGES[channel])
        raise InputError(f"{project.forge} knows no {channel} that the farm could make; it does at {known}")
    if channel is Channel.CHECKS:
        check_app(place, token)
    else:
        check_token(token)


def is_address(place: str) -> bool:
    """Whether mail can be sent there: one address in ASCII, which the library reads as it is written."""
    if len(place) > LONGEST_ADDRESS or not place.isascii() or not ADDRESS.fullmatch(place):
        return False
    if "=?" in place:  # begins an encoded word (RFC 2047), which means something else than it says
        return False
    header = SMTP.header_factory("To", place)
    return not header.defects and [each.addr_spec for each in header.addresses] == [place]


def check_webhook(place: str | None) -> str:
    """Refuse what cannot be a webhook's URL, or holds a user or a password: it is shown to whoever may see listeners.

    Raises:
        InputError: it is none, or holds one.
        TargetError: its host or port cannot be read.
    """
    if place is None or not URL.fullmatch(place):
        raise InputError("a webhook has an https:// address; give its URL")
    if "@" in read_url(place).netloc:
        raise InputError("the URL holds a user or a password, which would be shown; give one without")
    return place


def check_token(token: str | None) -> None:
    """Refuse what cannot be a forge's token.

    Raises:
        InputError: it is none.
    """
    if token is None or not TOKEN.fullmatch(token):
        raise InputError(
            "the forge's token is 8 to 500 characters without spaces; give it, by the command on stdin"
        )


def check_app(place: str | None, token: str | None) -> None:
    """Refuse what cannot be a GitHub App's id and private key.

    Raises:
        InputError: one of them is none.
    """
    if place is None or not APP.fullmatch(place):
        raise InputError("a GitHub App has a number or a client id; give its id")
    try:
        key = load_pem_private_key((token or "").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError("the App's private key (a PEM file) comes on standard input") from error
    if not isinstance(key, RSAPrivateKey):
        raise InputError("the App's private key is no RSA key; take the one that GitHub made")


def stop_listener(session: Session, project: Project, channel: Channel) -> bool:
    """Tell them no longer; whether anybody was told."""
    found = session.get(Listener, (project.id, channel))
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True
