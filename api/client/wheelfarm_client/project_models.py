"""What a farm tells of its projects, as plain objects: secrets of webhooks, followed releases, and who is told.

Part of models, where all of them are found; made by decoding. They know no server and send nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Optional


@dataclass(frozen=True)
class WebhookSecret:
    """A secret that the webhooks of a project are signed with, without its text."""

    id: str
    created: datetime


@dataclass(frozen=True)
class MadeSecret:
    """A new secret. Its text is told only here."""

    made: WebhookSecret
    secret: Optional[str]
    """None where it was given."""
    webhook: Optional[str]
    """The address to which its forge sends what is signed with it; None where the farm knows no public one."""


@dataclass(frozen=True)
class Following:
    """A project whose releases on the package index are followed."""

    project: str
    looked: Optional[datetime]
    """When its page was last looked at."""
    next_look: datetime
    note: Optional[str]
    """What went wrong at the last look."""


@dataclass(frozen=True)
class Pattern:
    """A pattern of names; the releases of each name that fits are followed."""

    pattern: str
    created: datetime


@dataclass(frozen=True)
class Listener:
    """Who is told of a project's runs, without the token or secret."""

    channel: str
    place: Optional[str]
    """The URL of a webhook, or an address of mail; None for `status`, which goes to the project's forge."""
    created: datetime


@dataclass(frozen=True)
class MadeListener:
    """Who is told from now on. The secret is told only here."""

    listener: Listener
    secret: Optional[str]
    """What a webhook is signed with; None for other channels."""


@dataclass(frozen=True)
class Redelivery:
    """A project whose deliveries at GitHub are looked through for those that failed."""

    app_id: Optional[str]
    """The App whose deliveries they are; None for the repository's own webhook."""
    looked: Optional[datetime]
    next_look: datetime
    note: Optional[str]
    """What went wrong at the last look."""


@dataclass(frozen=True)
class Removal:
    """What the removal of a project did."""

    name: str
    cancelled: int
    """Runs that had not ended."""
    kept: int
    """Its other runs, which belong to no project now."""
    tokens: int
    """Tokens for it, which open nothing any more."""
