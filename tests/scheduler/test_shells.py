"""What a shell needs of a job, and the one sentence where it cannot be had."""

import pytest

from farm_scheduler.errors import NotFoundError, ShellError
from farm_scheduler.shells import read_shell_job
from farm_scheduler.sources import source_path
from farm_scheduler.tables import Cell, Job

JOB = "j-fin22222"
"""The cell of Python 3.11 in the finished run."""


@pytest.fixture
def source(settings):
    """The source of the finished run."""
    path = source_path(settings, "0" * 64)
    path.write_bytes(b"source")
    return path


def test_a_job_that_ended_has_a_shell(runs, settings, source):
    """Source, environments and system of a job are those of its run, whatever became of it."""
    job = read_shell_job(runs, settings, JOB)
    assert (job.source, job.environments, job.system) == (source, ("py311",), "debian-12")
    assert (job.title, job.label) == ("pluggy 1.7.0", "py3.11 · debian-12")


def test_an_unknown_job_has_none(runs, settings):
    """An id that nobody knows is named."""
    with pytest.raises(NotFoundError, match="there is no job j-nowhere"):
        read_shell_job(runs, settings, "j-nowhere")


def test_a_removed_source_is_said(runs, settings):
    """Without its source a job has no shell, and the sentence says how to get one."""
    with pytest.raises(ShellError, match="was removed; start a new one: wheelfarm run pluggy"):
        read_shell_job(runs, settings, JOB)


@pytest.mark.usefixtures("source")
def test_a_cell_without_environments_is_said(runs, settings):
    """What was never to be run has no place to be in."""
    with runs.write() as session:
        job = session.get_one(Job, JOB)
        session.get_one(Cell, job.cell_id).environments = []
    with pytest.raises(ShellError, match="has no environments"):
        read_shell_job(runs, settings, JOB)
