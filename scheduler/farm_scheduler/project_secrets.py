"""The secrets of a project: made, shown once, changed without a gap, and opened to check a signature.

Called by the command, the API and the webhooks. Of a project two are valid at once: the newest and the one before it,
so that a forge can be told the new one while it still signs with the old. None of them is logged or shown again.
"""

import base64
import secrets

from sqlmodel import Session, col, select

from farm_scheduler.errors import InputError, NotFoundError
from farm_scheduler.event_tables import ProjectSecret
from farm_scheduler.secret_box import SecretBox

VALID_AT_ONCE = 2
SECRET_BYTES = 32
SHORTEST, LONGEST = 16, 500
"""Characters of a secret that somebody brings."""


def add_secret(session: Session, box: SecretBox, project_id: str, given: str | None = None) -> str:
    """Make a secret the newest of a project, and return it: the only time that it can be seen.

    The one before it stays valid, older ones do not. `given` is one that a forge made; without it a new one is made
    in the form of Standard Webhooks (`whsec_` and base64), which every forge takes as a word like any other.

    Raises:
        InputError: the given secret is too short to be one, too long, or holds what no form can take.
    """
    if given is not None and not (SHORTEST <= len(given) <= LONGEST and given.isprintable()):
        sentence = f"a secret has {SHORTEST} to {LONGEST} printable characters; give such a one, or none"
        raise InputError(sentence)
    secret = given or "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
    for old in _newest_first(session, project_id)[VALID_AT_ONCE - 1 :]:
        session.delete(old)
    session.add(ProjectSecret(project_id=project_id, sealed=box.seal(secret)))
    return secret


def valid_secrets(session: Session, project_id: str) -> list[ProjectSecret]:
    """What is valid now, newest first."""
    return _newest_first(session, project_id)[:VALID_AT_ONCE]


def end_secret(session: Session, project_id: str, secret_id: str) -> None:
    """End one secret at once; with the last one the project's webhooks are refused until there is another.

    Raises:
        NotFoundError: the project has no such secret.
    """
    found = session.get(ProjectSecret, secret_id)
    if found is None or found.project_id != project_id:
        raise NotFoundError(f"there is no secret {secret_id} of this project", secret=secret_id)
    session.delete(found)


def drop_old_secret(session: Session, project_id: str) -> bool:
    """Make only the newest valid; whether there was another."""
    old = _newest_first(session, project_id)[1:]
    for secret in old:
        session.delete(secret)
    return bool(old)


def sealed_secrets(session: Session, project_id: str) -> list[str]:
    """What is valid now, newest first, sealed."""
    return [secret.sealed for secret in valid_secrets(session, project_id)]


def _newest_first(session: Session, project_id: str) -> list[ProjectSecret]:
    chosen = select(ProjectSecret).where(ProjectSecret.project_id == project_id)
    return list(session.exec(chosen.order_by(col(ProjectSecret.created).desc())))
