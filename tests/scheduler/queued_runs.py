"""Runs in the queue as planning leaves them, for tests and benchmarks of the queue."""

from collections.abc import Sequence

from sqlmodel import Session

from farm_scheduler.access_tables import Submission, SubmissionState
from farm_scheduler.lanes import enqueue, place
from farm_scheduler.states import ImageState, JobState, RunState
from farm_scheduler.tables import Cell, Image, Job, Project, Run, now
from farm_scheduler.triggers import Trigger

SYSTEM = "debian-12"


def add_images(session: Session, *systems: str, state: ImageState = ImageState.READY) -> None:
    """Images of these systems (of `debian-12` without any)."""
    for system in systems or (SYSTEM,):
        session.merge(Image(name=system, state=state, digest="d", updated=now()))


def add_project(session: Session, name: str, **values: object) -> Project:
    """A project that the farm follows."""
    project = Project(name=name, **values)
    session.add(project)
    session.flush()
    return project


def add_run(
    session: Session,
    project: Project | str,
    seconds: Sequence[float],
    *,
    systems: Sequence[str] = (SYSTEM,),
    trigger: Trigger = Trigger.PUSH,
    priority: int = 0,
    ref: str | None = None,
    actor: str | None = None,
) -> list[Job]:
    """A queued run with one job for each of the expected seconds, over the systems in turn."""
    known = isinstance(project, Project)
    run = Run(
        target=f"target of {project.name if known else project}",
        project=project.name if known else project,
        project_id=project.id if known else None,
        source_sha256="0" * 64,
        state=RunState.QUEUED,
        trigger=trigger,
        priority=priority,
        ref=ref,
    )
    session.add(run)
    if actor is not None:
        session.add(Submission(id=run.id, actor=actor, target=run.target, state=SubmissionState.ACCEPTED))
    session.flush()
    cells = [
        Cell(
            run_id=run.id,
            position=position,
            system=systems[position % len(systems)],
            label=f"{position} · {systems[position % len(systems)]}",
            environments=["py312"],
        )
        for position in range(len(seconds))
    ]
    session.add_all(cells)
    session.flush()
    jobs = [
        Job(run_id=run.id, cell_id=cell.id, expected_seconds=expected)
        for cell, expected in zip(cells, seconds, strict=True)
    ]
    for job, cell in zip(jobs, cells, strict=True):
        place(session, run, job, cell.system)
    session.add_all(jobs)
    enqueue(session, jobs)
    return jobs


def hold(session: Session, child: Job, parent: Job) -> None:
    """Have one job wait for another."""
    child.state, child.parent_id = JobState.HELD, parent.id
    session.flush()
