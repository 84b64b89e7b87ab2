"""What a job's frame says of the installer: its word, and the constraints as the guest can have them.

Called by run and shell. Constraints that lie on the web are fetched here, as no guest reaches them; what they say is
never read. Where the project's own settings decide there is nothing to say.
"""

from datetime import datetime
from typing import Literal, Protocol, cast

from farm_images.installer_frame import InstallerFrame
from farm_scheduler.constraint_words import is_url
from farm_scheduler.installers import Installer
from farm_scheduler.settings import Settings
from farm_workers.constraint_texts import constraint_texts

Name = Literal["lockfile", "constraints", "latest", "lowest"]


class Decided(Protocol):
    """A job as far as its installer goes: a claim, or what a shell is opened for."""

    @property
    def run_id(self) -> str:
        """Its run."""

    @property
    def installer(self) -> Installer:
        """What decides which releases are installed."""

    @property
    def constraints(self) -> tuple[str, ...]:
        """Where the constraints are."""

    @property
    def cutoff(self) -> datetime | None:
        """Files that came to the index later do not exist for it."""


def installer_frame(job: Decided, settings: Settings) -> InstallerFrame | None:
    """The part of the frame; None to leave it to the project.

    Raises:
        ConstraintsError: what a URL leads to cannot be used.
        IndexUnavailableError: it cannot be had now.
    """
    if job.installer is Installer.PROJECT:
        return None
    urls = [word for word in job.constraints if is_url(word)]
    return InstallerFrame(
        name=cast("Name", job.installer.value),
        constraints=tuple(word for word in job.constraints if not is_url(word)),
        texts=constraint_texts(urls, job.run_id, settings),
        cutoff=None if job.cutoff is None else job.cutoff.isoformat(timespec="seconds"),
    )
