"""The audit log: every change that somebody made through a door, in the transaction that makes it.

Called by what changes something for a caller: tokens, submissions, uploads, the API's doors. It never holds a secret.
"""

from typing import Any

from sqlmodel import Session

from farm_scheduler.access_tables import AuditEntry
from farm_scheduler.roles import Caller


def note_change(
    session: Session, caller: Caller, action: str, subject: str, *, project: str | None = None, **details: Any
) -> None:
    """Record that `caller` did `action` (`run.cancel`) to `subject` (an id); `details` are plain JSON."""
    told = {name: value for name, value in details.items() if value is not None}
    entry = AuditEntry(actor=caller.actor, action=action, subject=subject, project=project, details=told)
    session.add(entry)
