"""What asks for a run, as one enum.

Called by the doors that make runs, by claims (a person who waits goes before a nightly sweep) and by the pages. It
decides nothing itself.
"""

from dataclasses import dataclass
from enum import StrEnum

from farm_scheduler.roles import Caller


class Trigger(StrEnum):
    """What asked for a run."""

    PERSON = "person"
    """A command or a call of the API: somebody waits for it."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"
    TAG = "tag"
    RELEASE = "release"
    """A new release on a package index, or of a forge."""

    SCHEDULE = "schedule"
    """A sweep over many projects, at night or after a new Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What asked for a run, as the run remembers it.

    Attributes:
        ref: the branch or tag, or `pull/NUMBER`.
        revision: the commit.
        priority: the higher goes first.
        caller: who asked, for the audit log; None where that is noted already, or it was an event.
    """

    trigger: Trigger = Trigger.PERSON
    project_id: str | None = None
    ref: str | None = None
    revision: str | None = None
    priority: int = 0
    caller: Caller | None = None
