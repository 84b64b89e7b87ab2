"""Tokens of the API: made, found by their secret, revoked. Only the hash of a secret is kept.

Called by the API's doors and by `wheelfarm token`. A secret is given once, when its token is made, and never again.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from packaging.utils import canonicalize_name
from sqlmodel import Session, col, select

from farm_scheduler.access_tables import AccessToken
from farm_scheduler.audit import note_change
from farm_scheduler.errors import AccessError, InputError, NotFoundError
from farm_scheduler.roles import ORDER, Caller, Role
from farm_scheduler.tables import now

PREFIX = "wf_"
"""What a secret begins with, so that scanners of leaked secrets can tell it."""

SECRET_BYTES = 32
LONGEST_DAYS = 3650
USED_EVERY = timedelta(hours=1)
"""How fine `used` is: a write for each request would be too dear."""


def make_token(
    session: Session,
    caller: Caller,
    *,
    name: str,
    role: Role,
    project: str | None = None,
    days: int | None = None,
) -> tuple[AccessToken, str]:
    """A new token and its secret, which is nowhere else.

    A maintainer makes tokens for the own project, up to the own role; an admin makes all.

    Raises:
        AccessError: the caller may not make such a token.
        InputError: a maintainer's token without a project, or an admin's with one.
    """
    scope = canonicalize_name(project) if project else None
    _check_grant(caller, role, scope)
    if (role is Role.MAINTAINER and scope is None) or (role is Role.ADMIN and scope is not None):
        sentence = "a maintainer's token is for one project, an admin's for none; say --project or leave it"
        raise InputError(sentence, role=role.value)
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    expires = None if days is None else now() + timedelta(days=days)
    token = AccessToken(
        name=name,
        secret_sha256=hash_secret(secret),
        role=role,
        project=scope,
        maker=caller.actor,
        expires=expires,
    )
    session.add(token)
    session.flush()
    note_change(session, caller, "token.make", token.id, project=scope, role=role.value, days=days)
    return token, secret


def find_caller(session: Session, secret: str) -> Caller | None:
    """Who has this secret; None when nobody does any more."""
    row = session.exec(select(AccessToken).where(AccessToken.secret_sha256 == hash_secret(secret))).first()
    if row is None or not is_good(row, now()):
        return None
    return Caller(actor=row.id, role=row.role, project=row.project)


def is_good(token: AccessToken, moment: datetime) -> bool:
    """Whether it opens anything at that moment."""
    return token.revoked is None and (token.expires is None or token.expires > moment)


def note_use(session: Session, token_id: str) -> None:
    """Remember that it was used, to the hour."""
    token = session.get(AccessToken, token_id)
    if token is not None and (token.used is None or now() - token.used > USED_EVERY):
        token.used = now()


def revoke_token(session: Session, caller: Caller, token_id: str) -> AccessToken:
    """End a token; one that has ended stays as it is.

    Raises:
        NotFoundError: there is none that the caller may see.
        AccessError: it is above the caller.
    """
    token = session.get(AccessToken, token_id)
    own = token is not None and token.id == caller.actor
    if token is None or not (own or (caller.may(Role.MAINTAINER) and _sees(caller, token))):
        raise NotFoundError(
            f"there is no token {token_id}; `wheelfarm token list` names them", token=token_id
        )
    if not own:
        _check_grant(caller, token.role, token.project)
    if token.revoked is None:
        token.revoked = now()
        note_change(session, caller, "token.revoke", token.id, project=token.project)
    return token


def visible_tokens(caller: Caller):  # type: ignore[no-untyped-def]  # a select of AccessToken, whose type is long
    """The tokens that a caller may see, as a statement."""
    chosen = select(AccessToken)
    return chosen if caller.project is None else chosen.where(col(AccessToken.project) == caller.project)


def hash_secret(secret: str) -> str:
    """What is kept of a secret: random and long, it needs neither salt nor stretching."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _sees(caller: Caller, token: AccessToken) -> bool:
    return caller.project is None or caller.project == token.project


def _check_grant(caller: Caller, role: Role, project: str | None) -> None:
    high = caller.role is not None and ORDER.index(role) <= ORDER.index(caller.role)
    if not caller.may(Role.MAINTAINER) or not high or (caller.project or project) != project:
        sentence = "a maintainer manages tokens of the own project, up to the own role; ask an admin"
        raise AccessError(sentence, role=role.value, project=project)
