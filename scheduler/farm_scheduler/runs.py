"""Runs: submitted, planned as soon as their images are ready, cancelled.

Called by the doors (submit, cancel) and by the worker's bake and sweep (advance). Messages go out after the
commit. It never runs anything of a project and never waits for an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from celery import Celery
from sqlmodel import Session, col, select

from farm_scheduler.database import Database
from farm_scheduler.durations import expected_seconds
from farm_scheduler.engine import publish_bake, publish_tickets
from farm_scheduler.errors import FarmError, NotFoundError, exit_code_of
from farm_scheduler.identifiers import new_id
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Plan, PlannedCell
from farm_scheduler.planning import check_files, make_plan, narrow_systems
from farm_scheduler.project_files import read_archive
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import FARMS_FAULT, settle_run
from farm_scheduler.sources import Source, get_source, source_path
from farm_scheduler.states import JOB_ENDED, RUN_ENDED, RUN_MOVES, ImageState, JobState, RunState, guard
from farm_scheduler.tables import Cell, Image, Job, Run, now
from farm_scheduler.targets import read_target
from farm_scheduler.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What a cancellation did.

    Attributes:
        before: the state of the run when it was asked.
        state: the state since then; `cancelling` until the jobs at work have stopped.
        never_start: jobs that waited, and ended with this.
        stopping: jobs at work, which were told to stop, now or before.
        ended: jobs that had ended by themselves, and keep their verdicts.
    """

    run_id: str
    before: RunState
    state: RunState
    never_start: int = 0
    stopping: int = 0
    ended: int = 0


def submit(
    database: Database,
    app: Celery,
    settings: Settings,
    target: str,
    narrowing: Narrowing,
    run_id: str | None = None,
    *,
    retries: int | None = None,
) -> Run:
    """Record a run of TARGET and set it going; under `run_id` when the caller must know the id beforehand.

    `retries` is how often a cell with failing tests is tried again; None for what the project declares.

    With its images ready the run is `queued` when this returns, and its cells and jobs are in the record. Else it
    is `planned` and has none yet: the bake is asked for, and `advance` goes on when it is done.

    Raises:
        InputError: target, source, configuration or narrowing cannot be used; nothing was recorded.
        IndexUnavailableError: the package index did not answer.
        EngineError: Redis does not answer; the run is recorded, and the sweep will find it.
    """
    source = get_source(read_target(target), settings)
    check_files(source.files)
    narrow_systems([SystemImage(name=name, interpreters=()) for name in settings.systems], narrowing)
    run = _new_run(source, target, narrowing, run_id or new_id("r"))
    run.retries = retries
    with database.read() as session:
        images = _images(session, wanted_systems(run, settings))
    plan = make_plan(source.files, images, narrowing) if images is not None else None
    with database.write() as session:
        session.add(run)
        session.flush()
        if plan is not None:
            _store_plan(session, run, plan)
    if plan is None:
        ask_for_images(database, app, wanted_systems(run, settings))
    else:
        publish_tickets(app, len(plan.runnable))
    return run


def advance(database: Database, app: Celery, settings: Settings, run_id: str) -> None:
    """Plan a run that waited for its images; call it when one got ready, failed, or after a while.

    A run whose image cannot be had, or that no cell is left of, ends here with its reason in its notes.
    """
    with database.read() as session:
        run = session.get(Run, run_id)
    if run is None or run.state != RunState.PLANNED:
        return
    systems = wanted_systems(run, settings)
    with database.read() as session:
        failed = [image for image in _rows(session, systems) if image.state == ImageState.FAILED]
        images = _images(session, systems)
    if failed:
        reason = f"the image {failed[0].name} could not be baked: {failed[0].note}"
        _end_unplanned(database, run_id, reason, FARMS_FAULT)
    elif images is None:
        ask_for_images(database, app, systems)
    else:
        _plan_waiting(database, app, settings, run, images)


def waiting_runs(database: Database) -> list[str]:
    """The runs that have no plan yet, oldest first."""
    with database.read() as session:
        chosen = select(Run.id).where(Run.state == RunState.PLANNED).order_by(col(Run.created))
        return list(session.exec(chosen))


def cancel(database: Database, run_id: str) -> Cancellation:
    """End a run: what is queued never starts, what is at work is told to stop.

    Cancelling twice, or after the end, changes nothing.

    Raises:
        NotFoundError: there is no such run.
    """
    with database.write() as session:
        run = _run(session, run_id)
        before = run.state
        if before in RUN_ENDED:
            return Cancellation(run_id=run_id, before=before, state=before)
        guard(RUN_MOVES, before, RunState.CANCELLING, f"run {run.id}")
        run.state = RunState.CANCELLING
        jobs = session.exec(select(Job).where(Job.run_id == run_id)).all()
        ended = [job for job in jobs if job.state in JOB_ENDED]
        queued = [job for job in jobs if job.state == JobState.QUEUED]
        for job in jobs:
            job.cancel_requested = job.cancel_requested or job not in ended
        for job in queued:
            job.state, job.finished = JobState.CANCELLED, now()
        settle_run(session, run_id)
        return Cancellation(
            run_id=run_id,
            before=before,
            state=run.state,
            never_start=len(queued),
            stopping=len(jobs) - len(ended) - len(queued),
            ended=len(ended),
        )


def wanted_systems(run: Run, settings: Settings) -> list[str]:
    """The systems of a run by name, in the order of the farm."""
    chosen = run.narrowing.get("systems") or []
    return [name for name in settings.systems if not chosen or name in chosen]


def _new_run(source: Source, target: str, narrowing: Narrowing, run_id: str) -> Run:
    return Run(
        id=run_id,
        target=target,
        project=source.project,
        version=source.version,
        source_sha256=source.sha256,
        source_bytes=source.bytes,
        notes=[{"environment": None, "reason": note} for note in source.notes],
        narrowing={"pythons": list(narrowing.pythons), "systems": list(narrowing.systems)},
    )


def _store_plan(session: Session, run: Run, plan: Plan) -> None:
    guard(RUN_MOVES, run.state, RunState.QUEUED, f"run {run.id}")
    run.state, run.inferred = RunState.QUEUED, plan.inferred
    notes = [{"environment": note.environment, "reason": note.reason} for note in plan.notes]
    run.notes = [*run.notes, *notes]
    for position, planned in enumerate(plan.cells):
        cell = _cell(run, position, planned)
        session.add(cell)
        session.flush()
        session.add(_job(session, run, cell, planned))
    settle_run(session, run.id)


def _job(session: Session, run: Run, cell: Cell, planned: PlannedCell) -> Job:
    """The job of a cell; that of an unsupported one has ended before it begins, and no ticket is for it."""
    if planned.unsupported is None:
        expected = expected_seconds(session, run.project, planned)
        return Job(run_id=run.id, cell_id=cell.id, expected_seconds=expected)
    return Job(
        run_id=run.id,
        cell_id=cell.id,
        state=JobState.FINISHED,
        verdict=Verdict.UNSUPPORTED,
        reason=planned.unsupported,
        finished=now(),
    )


def _cell(run: Run, position: int, planned: PlannedCell) -> Cell:
    return Cell(
        run_id=run.id,
        position=position,
        python=planned.python,
        system=planned.system,
        label=planned.label,
        environments=list(planned.environments),
        tool=planned.tool,
        variables=dict(planned.variables),
        inferred_config=planned.inferred,
        expected=planned.expected,
        expected_reason=planned.expected_reason,
        seconds=planned.seconds,
        retries=planned.retries if run.retries is None else run.retries,
    )


def _plan_waiting(
    database: Database, app: Celery, settings: Settings, run: Run, images: Sequence[SystemImage]
) -> None:
    narrowing = Narrowing(
        pythons=tuple(run.narrowing.get("pythons", ())), systems=tuple(run.narrowing.get("systems", ()))
    )
    try:
        files = read_archive(source_path(settings, run.source_sha256))
        plan = make_plan(files, images, narrowing)
    except FarmError as error:
        _end_unplanned(database, run.id, error.sentence, exit_code_of(error))
        return
    with database.write() as session:
        current = _run(session, run.id)
        if current.state != RunState.PLANNED:
            return
        _store_plan(session, current, plan)
    publish_tickets(app, len(plan.runnable))


def _end_unplanned(database: Database, run_id: str, reason: str, exit_code: int) -> None:
    with database.write() as session:
        run = _run(session, run_id)
        if run.state != RunState.PLANNED:
            return
        run.state, run.finished, run.exit_code = RunState.FINISHED, now(), exit_code
        run.notes = [*run.notes, {"environment": None, "reason": reason}]


def ask_for_images(database: Database, app: Celery, systems: Sequence[str]) -> None:
    """Ask for each image that is not there; one that failed before is tried again for a new run."""
    with database.write() as session:
        rows = {image.name: image for image in _rows(session, systems)}
        for name in systems:
            image = rows.get(name)
            if image is None:
                session.add(Image(name=name, updated=now()))
            elif image.state == ImageState.FAILED:
                image.state, image.note, image.progress = ImageState.MISSING, "", 0
        asked = [name for name in systems if name not in rows or rows[name].state == ImageState.MISSING]
    for name in asked:
        publish_bake(app, name)


def _rows(session: Session, systems: Sequence[str]) -> list[Image]:
    return list(session.exec(select(Image).where(col(Image.name).in_(systems))))


def _images(session: Session, systems: Sequence[str]) -> list[SystemImage] | None:
    """The images of these systems; None unless every one is ready."""
    rows = {image.name: image for image in _rows(session, systems) if image.state == ImageState.READY}
    if any(name not in rows for name in systems):
        return None
    return [system_image(name, rows[name].interpreters) for name in systems]


def _run(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}; wheelfarm results lists them", run=run_id)
    return run
