"""The shapes of what jobs had installed, and of two jobs compared.

Used by the router of sets. Texts are those of the guest, as it told them; nothing here says what they mean.
"""

from pydantic import Field

from farm_api.v1.shapes import Shape
from farm_scheduler.set_comparison import Kind


class LockFile(Shape):
    """The lock file that decided."""

    path: str | None = None
    sha256: str | None = None
    format: str | None = None


class ConstraintsFile(Shape):
    """One file of constraints that decided."""

    source: str | None = None
    sha256: str | None = None


class InstalledPackage(Shape):
    """A release in an environment; what nobody told is null."""

    name: str
    version: str
    file: str | None = None
    """The file that it was installed from."""
    url: str | None = None
    hash: str | None = None
    """`algorithm:hexdigest` of that file."""


class InstalledSet(Shape):
    """What one environment had once it was made."""

    environment: str
    installer: str
    """What decided: `project`, `lockfile`, `constraints`, `latest` or `lowest`."""
    lock: LockFile | None
    constraints: list[ConstraintsFile]
    packages: list[InstalledPackage]
    yanked: list[str]
    """Withdrawn releases among them, as `name==version`."""
    pylock: str | None
    """The same as the text of a pylock.toml (PEP 751), with which it can be had again; null where nobody told."""


class FetchedFile(Shape):
    """A file that the machine had from the package index, or from Debian's archive."""

    file: str
    sha256: str | None
    bytes: int


class JobSet(Shape):
    """What a job had, by its newest attempt that tells."""

    job_id: str
    run_id: str
    label: str
    attempt_id: str
    sets: list[InstalledSet]
    fetched: list[FetchedFile]


class ComparedJob(Shape):
    """One of two jobs."""

    job_id: str
    run_id: str
    label: str
    attempt_id: str


class SetDifference(Shape):
    """One package that differs; what a job did not have is null."""

    kind: Kind
    """`added`, `removed`, `changed`, or `other-file`: the same version, from files with these two hashes."""
    name: str
    before: str | None
    after: str | None


class EnvironmentPair(Shape):
    """An environment of each job; null where one had none like it."""

    first: str | None
    second: str | None
    same: int
    """How many packages are the same."""
    differences: list[SetDifference] = Field(default_factory=list)


class SetComparison(Shape):
    """Two jobs beside each other."""

    first: ComparedJob
    second: ComparedJob
    equal: bool
    """Whether nothing differs, and both had the same environments."""
    pairs: list[EnvironmentPair]
