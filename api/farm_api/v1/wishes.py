"""The shapes of runs asked for: what a caller may say, and what became of it.

Used by the router of runs. They check form only; whether a target exists is found by a worker, never here.
"""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from farm_api.v1.shapes import Shape
from farm_scheduler.access_tables import SubmissionState
from farm_scheduler.cutoff import read_cutoff
from farm_scheduler.errors import PlanError
from farm_scheduler.installers import Installer
from farm_scheduler.plan import MOST_RETRIES
from farm_scheduler.states import RunState
from farm_scheduler.urgency import LONGEST_PRIORITY

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,31}$")]

Word = Annotated[str, Field(pattern=r"^[^\x00-\x20\x7f]{1,500}$")]


def _in_utc(said: datetime) -> datetime:
    try:
        return read_cutoff(said)
    except PlanError as error:
        raise ValueError(error.sentence) from error


class NewRun(BaseModel):
    """A run that somebody wants: of a target, or of an upload under the name of `target`."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    target: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,500}$")]
    """`name`, `name==version` or `git+https://HOST/PATH@REF`; with `upload` what people are to see."""
    upload: Annotated[str, Field(pattern=r"^u-[0-9a-z]{8}$")] | None = None
    """The id of a complete upload."""
    pythons: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """Only these Pythons, such as `3.12`."""
    systems: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """All Pythons of these systems; `all` for every one."""
    installers: Annotated[tuple[Installer, ...], Field(max_length=5)] = ()
    """What decides which releases are installed, each in cells of its own; none for what the project has."""
    constraints: Annotated[tuple[Word, ...], Field(max_length=20)] = ()
    """Files of the source, or https URLs with `#sha256=…` or without."""
    cutoff: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    """Files that came to the package index later do not exist for the run."""
    retries: Annotated[int, Field(ge=0, le=MOST_RETRIES)] | None = None
    """How often a cell with failing tests is tried again; null for what the project declares."""
    priority: Annotated[int, Field(ge=-LONGEST_PRIORITY, le=LONGEST_PRIORITY)] = 0
    """The higher goes first: each step is an hour of head start. Above 0 for maintainers (6 at most) and admins."""


class Submission(Shape):
    """The wish for a run; its id is that of the run."""

    id: str
    target: str
    upload_id: str | None
    priority: int
    state: SubmissionState
    """`accepted`: the run is there. `refused`: `code` and `reason` say why."""
    code: str | None
    reason: str | None
    created: datetime


class Cancellation(Shape):
    """What a cancellation did."""

    run_id: str
    before: RunState
    state: RunState
    never_start: int
    stopping: int
    ended: int
