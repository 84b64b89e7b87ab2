"""What a farm tells of access, as plain objects: wishes for runs, uploads, tokens, the audit log, and garbage.

Part of models, where all of them are found; made by decoding. They know no server and send nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, List, Optional


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


@dataclass(frozen=True)
class GarbageItem:
    """One file or folder that nobody wants any more."""

    kind: str
    name: str
    bytes: int
    reason: str


@dataclass(frozen=True)
class Garbage:
    """What can go, the first of it in full."""

    items: List[GarbageItem]
    count: int
    bytes: int
    """Of all of it."""


@dataclass(frozen=True)
class Disposal:
    """What a request removed."""

    items: List[GarbageItem]
    bytes: int
    left: int
    """So much is still to be removed."""
    kept: int
    """So much is being worked on, and stays for another time."""
