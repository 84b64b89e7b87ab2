"""Listeners: who is told of a project's runs, added and taken away by a person.

Called by the command. A token or a secret is sealed at once, and never shown again. It tells nobody anything.
"""

import base64
import re
import secrets

from sqlmodel import Session

from farm_scheduler.errors import InputError
from farm_scheduler.feedback_tables import Channel, Listener
from farm_scheduler.secret_box import SecretBox
from farm_scheduler.tables import Project

ADDRESS = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+")
TOKEN = re.compile(r"[!-~]{8,500}")


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

    Returns the secret that a webhook is signed with: the only time that it can be seen.

    Raises:
        InputError: the address or the token cannot be used, or the project has no forge.
    """
    secret = None
    if channel is Channel.STATUS:
        if project.repository is None:
            raise InputError(f"{project.name} has no repository, so no commit to give a status to")
        if token is None or not TOKEN.fullmatch(token):
            raise InputError("the forge's token comes on standard input: 8 to 500 characters without spaces")
    elif channel is Channel.WEBHOOK:
        if place is None or not place.startswith(("https://", "http://")) or not place.isprintable():
            raise InputError("a webhook has an https:// address; give --webhook URL")
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    elif place is None or not ADDRESS.fullmatch(place):
        raise InputError(f"{place!r} is no address of mail; give --email NAME@HOST")
    stop_listener(session, project, channel)
    sealed = box.seal(token or secret or "")
    session.add(Listener(project_id=project.id, channel=channel, place=place, sealed=sealed))
    return secret


def stop_listener(session: Session, project: Project, channel: Channel) -> bool:
    """Tell them no longer; whether anybody was told."""
    found = session.get(Listener, (project.id, channel))
    if found is None:
        return False
    session.delete(found)
    session.flush()
    return True
