"""Runs: submitted, planned as soon as their images are ready, cancelled.

Called by the doors (submit, cancel) and by the worker's bake and sweep (advance). Messages go out after the
commit. It never runs anything of a project and never waits for an image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from celery import Celery
from sqlmodel import Session, col, select

from farm_scheduler.audit import note_change
from farm_scheduler.cancellation import Cancellation, cancel_run
from farm_scheduler.constraint_words import check_words
from farm_scheduler.database import Database
from farm_scheduler.dynamic_facts import dynamic_facts
from farm_scheduler.engine import MOST_TICKETS, publish_bake, publish_tickets
from farm_scheduler.errors import FarmError, NotFoundError, exit_code_of
from farm_scheduler.guest_text import clean_line
from farm_scheduler.identifiers import new_id
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planned_cells import store_cells
from farm_scheduler.project_files import ProjectFiles, read_archive
from farm_scheduler.project_names import name_of
from farm_scheduler.prospect import look_ahead, system_to_ask
from farm_scheduler.questions import FAILED_FOR, Told, ask, read_told
from farm_scheduler.roles import Caller
from farm_scheduler.settings import Settings
from farm_scheduler.settlement import settle_run
from farm_scheduler.sources import LONGEST_NAME, Source, get_source, source_path
from farm_scheduler.states import (
    RUN_ENDED,
    RUN_MOVES,
    ImageState,
    RunState,
    guard,
)
from farm_scheduler.systems import read_systems
from farm_scheduler.tables import Image, Run, now
from farm_scheduler.targets import read_target
from farm_scheduler.triggers import Cause

BY_A_PERSON = Cause()


def submit(  # noqa: PLR0913 - three of them are rare, and named where they are given
    database: Database,
    app: Celery,
    settings: Settings,
    target: str,
    narrowing: Narrowing,
    run_id: str | None = None,
    *,
    retries: int | None = None,
    cause: Cause = BY_A_PERSON,
    source: Source | None = None,
) -> Run:
    """Record a run of TARGET and set it going; under `run_id` when the caller must know the id beforehand.

    `retries` is how often a cell with failing tests is tried again; None for what the project declares. `cause` is
    what asked for the run, `source` what TARGET stands for, where that is stored already.

    With its images ready, and nothing to ask of a guest, the run is `queued` when this returns, and its cells and jobs
    are in the record. Else it is `planned` and has none yet: the bake or the guest is asked, and `advance` goes on
    when that is done.

    Raises:
        InputError: target, source, configuration or narrowing cannot be used; nothing was recorded.
        RecipeError: a system of the farm has no recipe that can be read; nothing was recorded.
        IndexUnavailableError: the package index did not answer.
        EngineError: Redis does not answer; the run is recorded, and the sweep will find it.
    """
    check_words(narrowing.constraints, settings)
    source = source or get_source(read_target(target), settings)
    run = _new_run(source, target, narrowing, run_id or new_id("r"))
    run.retries = retries
    run.trigger, run.project_id, run.priority = cause.trigger, cause.project_id, cause.priority
    run.ref, run.revision = cause.ref, cause.revision
    found = _look(database, settings, run, source.files, since=now() - FAILED_FOR)
    with database.write() as session:
        session.add(run)
        session.flush()
        if cause.caller is not None:
            note_change(
                session, cause.caller, "run.submit", run.id, project=name_of(session, run), target=target
            )
        if found.told is not None and not found.missing:
            _store_plan(session, run, found.plan, found.told)
    _go_on(database, app, settings, run, found)
    return run


def advance(database: Database, app: Celery, settings: Settings, run_id: str) -> None:
    """Plan a run that waited for its images or for a guest's answer; call it when one is there, or after a while.

    What the images really have may move cells to another system, whose image is then asked for. A run that cannot be
    had without an image that failed, or that no cell is left of, ends here with its reason in its notes.
    """
    with database.read() as session:
        run = session.get(Run, run_id)
    if run is None or run.state != RunState.PLANNED:
        return
    try:
        files = read_archive(source_path(settings, run.source_sha256))
        found = _look(database, settings, run, files, failed=_failed(database, settings, run))
    except FarmError as error:
        _end_unplanned(database, run.id, error.sentence, exit_code_of(error))
        return
    if found.told is not None and not found.missing:
        with database.write() as session:
            current = _run(session, run.id)
            if current.state != RunState.PLANNED:
                return
            _store_plan(session, current, found.plan, found.told)
    _go_on(database, app, settings, run, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outlook:
    """What is known of a run's plan.

    Attributes:
        plan: exact when there is an answer and no image is missing.
        missing: the systems whose images it waits for.
        asked: the system of which a machine tells what the files do not.
        told: what it told, or that there was nothing to ask; None while it has to be asked.
    """

    plan: Plan
    missing: tuple[str, ...]
    asked: str
    told: Told | None


def _look(
    database: Database,
    settings: Settings,
    run: Run,
    files: ProjectFiles,
    *,
    failed: Mapping[str, str] | None = None,
    since: datetime | None = None,
) -> _Outlook:
    """Plan with what is known now. Raises as look_ahead."""
    systems = read_systems(database, settings)
    narrowing = Narrowing.of(run.narrowing)
    asked = system_to_ask(systems, narrowing, failed)
    with database.read() as session:
        told = read_told(session, run.source_sha256, asked.name, dynamic_facts(files), since=since)
    found = look_ahead(files, systems, narrowing, failed, told.metadata if told else None)
    missing = found.missing
    if told is None:  # What is asked may show that other images are not needed.
        missing = () if asked.baked else (asked.name,)
    return _Outlook(plan=found.plan, missing=missing, asked=asked.name, told=told)


def _go_on(database: Database, app: Celery, settings: Settings, run: Run, found: _Outlook) -> None:
    """Ask for what is missing, or have the jobs begin."""
    if found.missing:
        ask_for_images(database, app, settings, found.missing)
    elif found.told is None:
        kind = settings.host_kinds.kind_of(found.asked)
        ask(database, app, run.source_sha256, found.asked, anew=True, kind=kind)
    else:
        first = found.plan.runnable[:MOST_TICKETS]
        publish_tickets(app, settings.host_kinds.count(cell.system for cell in first))


def waiting_runs(database: Database) -> list[str]:
    """The runs that have no plan yet, oldest first."""
    with database.read() as session:
        chosen = select(Run.id).where(Run.state == RunState.PLANNED).order_by(col(Run.created))
        return list(session.exec(chosen))


def cancel(database: Database, run_id: str, caller: Caller | None = None) -> Cancellation:
    """End a run: what is queued never starts, what is at work is told to stop; `caller` is noted in the audit log.

    Cancelling twice, or after the end, changes nothing.

    Raises:
        NotFoundError: there is no such run.
    """
    with database.write() as session:
        run = _run(session, run_id)
        if caller is not None and run.state not in RUN_ENDED:
            note_change(session, caller, "run.cancel", run.id, project=name_of(session, run))
        return cancel_run(session, run)


def _new_run(source: Source, target: str, narrowing: Narrowing, run_id: str) -> Run:
    return Run(
        id=run_id,
        target=target,
        project=source.project,
        version=source.version,
        source_sha256=source.sha256,
        source_bytes=source.bytes,
        notes=[{"environment": None, "reason": note} for note in source.notes],
        narrowing=narrowing.document(),
    )


def _store_plan(session: Session, run: Run, plan: Plan, told: Told) -> None:
    guard(RUN_MOVES, run.state, RunState.QUEUED, f"run {run.id}")
    run.state, run.inferred = RunState.QUEUED, plan.inferred
    if told.metadata is not None:
        run.project = clean_line(told.metadata.name or run.project)[:LONGEST_NAME]
        run.version = clean_line(told.metadata.version or "")[:LONGEST_NAME] or run.version
    notes = [{"environment": note.environment, "reason": note.reason} for note in (*told.notes, *plan.notes)]
    run.notes = [*run.notes, *notes]
    store_cells(session, run, plan)
    settle_run(session, run.id)


def _end_unplanned(database: Database, run_id: str, reason: str, exit_code: int) -> None:
    with database.write() as session:
        run = _run(session, run_id)
        if run.state != RunState.PLANNED:
            return
        run.state, run.finished, run.exit_code = RunState.FINISHED, now(), exit_code
        run.notes = [*run.notes, {"environment": None, "reason": reason}]


def ask_for_images(database: Database, app: Celery, settings: Settings, systems: Sequence[str]) -> None:
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
        publish_bake(app, name, settings.host_kinds.kind_of(name))


def _rows(session: Session, systems: Sequence[str]) -> list[Image]:
    return list(session.exec(select(Image).where(col(Image.name).in_(systems))))


def _failed(database: Database, settings: Settings, run: Run) -> Mapping[str, str]:
    """The systems whose bake failed since the run is there, and why; what failed before is tried again."""
    with database.read() as session:
        rows = [image for image in _rows(session, settings.systems) if image.state == ImageState.FAILED]
    return {image.name: image.note for image in rows if image.updated and image.updated >= run.created}


def _run(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}; wheelfarm results lists them", run=run_id)
    return run
