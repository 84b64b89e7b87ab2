"""Shells: what a person needs of a job to be in its place, in a fresh machine.

Called by the command, which refuses at once what cannot be, and by the hands, which make the machine. It never writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from farm_scheduler.database import Database
from farm_scheduler.errors import ShellError
from farm_scheduler.installers import Installer
from farm_scheduler.job_lookup import find_job
from farm_scheduler.settings import Settings
from farm_scheduler.sources import source_path


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellJob:
    """A job as a shell has it: its source and its environments, in a machine of its system.

    Attributes:
        title: project and version.
        label: the cell, `py3.12 · debian-12`.
        packages: those of the system that its machine installs first.
        installer: what decides which releases are installed, by `constraints` if those decide.
        cutoff: files that came to the index later do not exist for it.
        source: the archive, which is there.
    """

    job_id: str
    title: str
    label: str
    system: str
    environments: tuple[str, ...]
    tool: str
    variables: Mapping[str, str]
    packages: tuple[str, ...]
    inferred: str | None
    source: Path
    source_sha256: str
    run_id: str = ""
    installer: Installer = Installer.PROJECT
    constraints: tuple[str, ...] = ()
    cutoff: datetime | None = None


def read_shell_job(database: Database, settings: Settings, job_id: str) -> ShellJob:
    """The job, whatever became of it.

    Raises:
        NotFoundError: there is no such job.
        ShellError: it has no environments, or its source is not there.
    """
    with database.read() as session:
        job, run, cell = find_job(session, job_id)
    if not cell.environments:
        sentence = (
            f"job {job_id} has no environments ({job.reason or job.verdict}), so there is nothing to be in"
        )
        raise ShellError(sentence, job=job_id)
    source = source_path(settings, run.source_sha256)
    if not source.is_file():
        sentence = f"the source of run {run.id} was removed; start a new one: wheelfarm run {run.target}"
        raise ShellError(sentence, job=job_id, run=run.id)
    return ShellJob(
        job_id=job_id,
        title=" ".join(filter(None, (run.project, run.version))),
        label=cell.label,
        system=cell.system,
        environments=tuple(cell.environments),
        tool=cell.tool,
        variables=dict(cell.variables),
        packages=tuple(cell.packages),
        inferred=cell.inferred_config,
        source=source,
        source_sha256=run.source_sha256,
        run_id=run.id,
        installer=cell.installer,
        constraints=tuple(cell.constraints),
        cutoff=cell.cutoff,
    )
