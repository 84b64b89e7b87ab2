"""What a farm tells of access, as plain objects: wishes for runs, uploads, tokens, and the audit log.

Part of models, where all of them are found; made by decoding. They know no server and send nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class Submission:
    """The wish for a run; its id is that of the run."""

    id: str
    target: str
    upload_id: Optional[str]
    priority: int
    state: str
    """`accepted`: the run is there. `refused`: `code` and `reason` say why."""
    code: Optional[str]
    reason: Optional[str]
    created: datetime


@dataclass(frozen=True)
class Cancellation:
    """What a cancellation did."""

    run_id: str
    before: str
    state: str
    never_start: int
    stopping: int
    ended: int


@dataclass(frozen=True)
class Upload:
    """A file that comes in pieces."""

    id: str
    name: str
    kind: str
    bytes: int
    sha256: str
    received: int
    """Bytes that are there: the offset of the next piece."""
    state: str
    created: datetime
    updated: datetime


@dataclass(frozen=True)
class Token:
    """A token, without its secret."""

    id: str
    name: str
    role: str
    project: Optional[str]
    """The one project that it reaches; null for all."""
    maker: str
    created: datetime
    expires: Optional[datetime]
    revoked: Optional[datetime]
    used: Optional[datetime]
    """When it was last used, to the hour."""


@dataclass(frozen=True)
class MadeToken:
    """A new token. Its secret is told only here."""

    token: Token
    secret: str


@dataclass(frozen=True)
class Whoami:
    """Who asks, as the farm sees it."""

    actor: str
    role: Optional[str]
    project: Optional[str]
    expires: Optional[datetime]


@dataclass(frozen=True)
class Change:
    """One change that somebody made."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    project: Optional[str]
    details: Dict[str, Any]
