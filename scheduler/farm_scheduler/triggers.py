"""What asks for a run, as one enum.

Called by the doors that make runs, by claims (a person who waits goes before a nightly sweep) and by the pages. It
decides nothing itself.
"""

from enum import StrEnum


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
