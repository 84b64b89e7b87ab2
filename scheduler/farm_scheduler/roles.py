"""What a caller of the API may do, as one enum, and whom a right reaches.

Called by tokens and by the API's doors. It decides from what it is given; it never reads the record.
"""

from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import canonicalize_name


class Role(StrEnum):
    """What the holder of a token may do; each may also do what those before it may."""

    READER = "reader"
    """See everything but the audit log and what forges sent."""

    SUBMITTER = "submitter"
    """Start runs; cancel and rerun those that were started with the same token."""

    MAINTAINER = "maintainer"
    """Of one project: its runs, its settings, and tokens for it."""

    ADMIN = "admin"
    """Everything: all projects, all tokens, the audit log."""


ORDER = tuple(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        actor: the id of the token; `anonymous` without one, and `local` for a person on the farm's host.
        role: None for somebody who may not even read.
        project: the one project, by its normalized name, that the token is for; None for all of them.
    """

    actor: str
    role: Role | None
    project: str | None = None

    def may(self, role: Role) -> bool:
        """Whether the caller has this role, or a higher one, for some project at least."""
        return self.role is not None and ORDER.index(self.role) >= ORDER.index(role)

    def reaches(self, project: str) -> bool:
        """Whether the caller's rights reach the runs of a project (by any spelling of its name)."""
        return self.project is None or self.project == canonicalize_name(project)


LOCAL = Caller(actor="local", role=Role.ADMIN)
"""A person with a shell on the farm's host, who could write the record anyway."""

FARM = Caller(actor="farm", role=None)
"""The farm itself: what it does because it has to, as to bake an image that runs need."""
