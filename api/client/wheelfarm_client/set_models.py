"""What jobs had installed, and two jobs compared, as plain objects.

Part of models, which has them all. They know no server and send nothing.
"""

from dataclasses import dataclass
from typing import List, Optional


@dataclass(frozen=True)
class LockFile:
    """The lock file that decided."""

    path: Optional[str]
    sha256: Optional[str]
    format: Optional[str]


@dataclass(frozen=True)
class ConstraintsFile:
    """One file of constraints that decided."""

    source: Optional[str]
    sha256: Optional[str]


@dataclass(frozen=True)
class InstalledPackage:
    """A release in an environment; what nobody told is null."""

    name: str
    version: str
    file: Optional[str]
    """The file that it was installed from."""
    url: Optional[str]
    hash: Optional[str]
    """`algorithm:hexdigest` of that file."""


@dataclass(frozen=True)
class InstalledSet:
    """What one environment had once it was made."""

    environment: str
    installer: str
    """What decided: `project`, `lockfile`, `constraints`, `latest` or `lowest`."""
    lock: Optional[LockFile]
    constraints: List[ConstraintsFile]
    packages: List[InstalledPackage]
    yanked: List[str]
    """Withdrawn releases among them, as `name==version`."""
    pylock: Optional[str]
    """The same as the text of a pylock.toml (PEP 751), with which it can be had again; null where nobody told."""


@dataclass(frozen=True)
class FetchedFile:
    """A file that the machine had from the package index, or from Debian's archive."""

    file: str
    sha256: Optional[str]
    bytes: int


@dataclass(frozen=True)
class JobSet:
    """What a job had, by its newest attempt that tells."""

    job_id: str
    run_id: str
    label: str
    attempt_id: str
    sets: List[InstalledSet]
    fetched: List[FetchedFile]


@dataclass(frozen=True)
class ComparedJob:
    """One of two jobs."""

    job_id: str
    run_id: str
    label: str
    attempt_id: str


@dataclass(frozen=True)
class SetDifference:
    """One package that differs; what a job did not have is null."""

    kind: str
    """`added`, `removed`, `changed`, or `other-file`: the same version, from files with these two hashes."""
    name: str
    before: Optional[str]
    after: Optional[str]


@dataclass(frozen=True)
class EnvironmentPair:
    """An environment of each job; null where one had none like it."""

    first: Optional[str]
    second: Optional[str]
    same: int
    """How many packages are the same."""
    differences: List[SetDifference]


@dataclass(frozen=True)
class SetComparison:
    """Two jobs beside each other."""

    first: ComparedJob
    second: ComparedJob
    equal: bool
    """Whether nothing differs, and both had the same environments."""
    pairs: List[EnvironmentPair]
