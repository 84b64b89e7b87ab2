"""The shapes of what a project has at the doors: secrets of webhooks, followed releases, and who is told of its runs.

Used by the routers of these. A secret's or a token's text is in the answer that makes it, and in no other.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from farm_api.v1.shapes import Shape
from farm_scheduler.feedback_tables import Channel
from farm_scheduler.project_secrets import LONGEST, SHORTEST


class WebhookSecret(Shape):
    """A secret that the webhooks of a project are signed with, without its text."""

    id: str
    created: datetime


class NewSecret(BaseModel):
    """A secret that is to be valid."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    given: Annotated[
        str | None, Field(min_length=SHORTEST, max_length=LONGEST, pattern=r"^[^\x00-\x1f\x7f]*$")
    ] = None
    """One that the forge made; null for a new one."""


class MadeSecret(Shape):
    """A new secret. Its text is told only here."""

    made: WebhookSecret
    secret: str | None
    """Null where it was given."""
    webhook: str | None
    """The address to which its forge sends what is signed with it; null where the farm knows no public one."""


class Following(Shape):
    """A project whose releases on the package index are followed."""

    project: str
    looked: datetime | None
    """When its page was last looked at."""
    next_look: datetime
    note: str | None
    """What went wrong at the last look."""


class Pattern(Shape):
    """A pattern of names; the releases of each name that fits are followed."""

    pattern: str
    created: datetime


class Listener(Shape):
    """Who is told of a project's runs, without the token or secret."""

    channel: Channel
    place: str | None
    """The URL of a webhook, or an address of mail; null for `status`, which goes to the project's forge."""
    created: datetime


class NewListener(BaseModel):
    """Who is to be told."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    place: Annotated[str | None, Field(max_length=2000)] = None
    """The URL of a webhook, or an address of mail."""
    token: Annotated[str | None, Field(max_length=10_000)] = None
    """For `status` and `comment` the forge's token, for `checks` the App's private key (PEM)."""


class MadeListener(Shape):
    """Who is told from now on. The secret is told only here."""

    listener: Listener
    secret: str | None
    """What a webhook is signed with; null for other channels."""


class Redelivery(Shape):
    """A project whose deliveries at GitHub are looked through for those that failed."""

    app_id: str | None
    """The App whose deliveries they are; null for the repository's own webhook."""
    looked: datetime | None
    """When they were last looked through."""
    next_look: datetime
    note: str | None
    """What went wrong at the last look."""


class NewRedelivery(BaseModel):
    """What GitHub is asked with."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    token: Annotated[str, Field(max_length=10_000)]
    """A token with the right "Webhooks: read and write", or the App's private key (PEM)."""
    app: Annotated[str | None, Field(max_length=100)] = None
    """The App's id, where the webhook is an App's."""


class Removal(Shape):
    """What the removal of a project did."""

    name: str
    cancelled: int
    """Runs that had not ended."""
    kept: int
    """Its other runs, which belong to no project now."""
    tokens: int
    """Tokens for it, which open nothing any more."""
