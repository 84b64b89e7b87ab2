"""Submissions: the wish for a run is recorded at the door, and a worker fetches and checks what it names.

Called by the API's doors (`ask`), by the worker (`carry_out`) and the sweep (`publish_waiting`). A message may come
twice or never: the record decides, and a run has the id of its submission, so that none is made twice. Nothing of a
project is fetched or parsed in the API's process.
"""

import hashlib
import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial

from celery import Celery
from packaging.utils import canonicalize_name
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, col, func, or_, select

from farm_scheduler import runs
from farm_scheduler.access_tables import Submission, SubmissionState, Upload, UploadState
from farm_scheduler.audit import note_change
from farm_scheduler.constraint_words import check_words
from farm_scheduler.database import Database
from farm_scheduler.engine import publish_submission
from farm_scheduler.errors import (
    FARMS_FAULT,
    AccessError,
    EngineError,
    FarmError,
    NotFoundError,
    SourceError,
    TooBusyError,
    UploadError,
    exit_code_of,
)
from farm_scheduler.patience import patiently
from farm_scheduler.plan import Narrowing
from farm_scheduler.projects import address_of
from farm_scheduler.remote_targets import read_remote_target
from farm_scheduler.roles import Caller, Role
from farm_scheduler.settings import Settings
from farm_scheduler.sources import Source, get_source, get_uploaded
from farm_scheduler.tables import Project, Run, now
from farm_scheduler.targets import ReleaseTarget, RepositoryTarget
from farm_scheduler.triggers import Cause
from farm_scheduler.uploads import find_upload, forget_upload
from farm_scheduler.urgency import LONGEST_PRIORITY

LOG = logging.getLogger(__name__)
LEASE = timedelta(minutes=15)
"""How long fetching may take: a worker that says nothing for longer has died."""

PUBLISH_AGAIN = timedelta(seconds=30)
MOST_TRIES = 3
MOST_OPEN = 200
"""Wishes of one token whose sources are still to be fetched."""

HIGHEST_PRIORITY = {Role.MAINTAINER: 6, Role.ADMIN: LONGEST_PRIORITY}
"""Of a run that somebody asks for, in hours of head start; for other roles 0."""

OPEN = frozenset({SubmissionState.WAITING, SubmissionState.FETCHING})


def ask(session: Session, settings: Settings, caller: Caller, wish: Submission) -> Submission:
    """Record the wish for a run; asking again under the same id changes nothing. Publish it after the commit.

    Raises:
        TargetError: the target is none that may be named from elsewhere, or constraints are at a URL that nobody asks.
        PlanError: what is named as constraints cannot be.
        AccessError: the token is for another project, or not for this priority.
        NotFoundError: there is no such upload.
        UploadError: the upload is not complete.
        TooBusyError: the token has too many open already.
    """
    known = session.get(Submission, wish.id)
    if known is not None:
        return known
    _check_priority(caller, wish.priority)
    _check_open(session, caller)
    check_words(Narrowing.of(wish.narrowing).constraints, settings)
    if wish.upload_id is None:
        target = read_remote_target(wish.target, settings)
        if isinstance(target, ReleaseTarget):
            _check_scope(wish.scope, target.name)
    else:
        upload = find_upload(session, caller, wish.upload_id)
        if upload.state is not UploadState.COMPLETE:
            sentence = (
                f"upload {upload.id} has {upload.received} of {upload.bytes} bytes; send the rest first"
            )
            raise UploadError(sentence, received=upload.received)
    wish.published = now()
    session.add(wish)
    note_change(session, caller, "run.submit", wish.id, project=wish.scope, target=wish.target)
    return wish


def find_submission(session: Session, submission_id: str) -> Submission:
    """The submission of a run.

    Raises:
        NotFoundError: there is none.
    """
    found = session.get(Submission, submission_id)
    if found is None:
        raise NotFoundError(f"there is no submission {submission_id}", submission=submission_id)
    return found


def withdraw(session: Session, caller: Caller, submission_id: str) -> bool:
    """Take a wish back while there is no run of it; whether that was so. Who may is the caller's to look at.

    A worker that is fetching its source finds out when that is done.
    """
    wish = session.get(Submission, submission_id, with_for_update=True)
    hidden = wish is not None and caller.project not in {None, wish.scope}
    if wish is None or hidden or wish.state not in OPEN or session.get(Run, submission_id) is not None:
        return False
    wish.state, wish.code, wish.reason = (
        SubmissionState.REFUSED,
        "withdrawn",
        "it was cancelled before it began",
    )
    note_change(session, caller, "run.cancel", wish.id, project=wish.scope)
    return True


def carry_out(
    database: Database, app: Celery, settings: Settings, submission_id: str, *, worker: str = ""
) -> None:
    """Fetch and check the source, and record the run; what cannot be used is refused, with its reason."""
    wish = _claim(database, submission_id, worker)
    if wish is None:
        return
    try:
        source = _source(database, settings, wish)
        project = _project(database, wish.scope)
        if not _is_own(project, wish, settings):
            _check_scope(wish.scope, source.project)
        narrowing = Narrowing.of(wish.narrowing)
        cause = Cause(priority=wish.priority, project_id=project.id if project else None)
        runs.submit(
            database,
            app,
            settings,
            wish.target,
            narrowing,
            wish.id,
            retries=wish.retries,
            cause=cause,
            source=source,
        )
    except EngineError as error:
        LOG.warning("%s; the sweep goes on with run %s", error, wish.id)
    except OperationalError as error:
        LOG.warning("%s is tried again: the record did not answer: %s", wish.id, error.orig)
        patiently(partial(_give_back, database, wish.id))
        return
    except FarmError as error:
        patiently(partial(_end, database, settings, wish.id, error))
        return
    patiently(partial(_end, database, settings, wish.id, None))


def fetching_workers(session: Session) -> set[str]:
    """The workers that have a submission now."""
    chosen = select(Submission.worker).where(Submission.state == SubmissionState.FETCHING)
    return set(session.exec(chosen.distinct()))


def publish_waiting(database: Database, app: Celery, dead_workers: Collection[str] = ()) -> None:
    """Send again the messages that came to nothing, and give back what dead workers had: called by the sweep.

    Raises:
        EngineError: Redis does not answer.
    """
    moment = now()
    with database.write() as session:
        over = or_(col(Submission.lease_expires) < moment, col(Submission.worker).in_(list(dead_workers)))
        stuck = select(Submission).where(Submission.state == SubmissionState.FETCHING, over)
        for wish in session.exec(stuck):
            wish.state, wish.published, wish.lease_expires = SubmissionState.WAITING, None, None
        due = or_(col(Submission.published).is_(None), col(Submission.published) < moment - PUBLISH_AGAIN)
        waiting = session.exec(
            select(Submission).where(Submission.state == SubmissionState.WAITING, due)
        ).all()
        for wish in waiting:
            wish.published = moment
        ids = [wish.id for wish in waiting]
    for submission_id in ids:
        publish_submission(app, submission_id)


def _claim(database: Database, submission_id: str, worker: str) -> Submission | None:
    with database.write() as session:
        wish = session.get(Submission, submission_id, with_for_update=True)
        if wish is None or wish.state is not SubmissionState.WAITING:
            return None
        if session.get(Run, wish.id) is not None:  # a worker died between the run and its note
            wish.state = SubmissionState.ACCEPTED
            return None
        wish.state, wish.lease_expires, wish.tries = SubmissionState.FETCHING, now() + LEASE, wish.tries + 1
        wish.worker = worker
        return wish


def _source(database: Database, settings: Settings, wish: Submission) -> Source:
    if wish.upload_id is None:
        return get_source(read_remote_target(wish.target, settings), settings)
    with database.read() as session:
        upload = session.get(Upload, wish.upload_id)
    path = settings.uploads / wish.upload_id
    if upload is None or not path.is_file():
        raise SourceError("the upload is not there any more; send it again", upload=wish.upload_id)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != upload.sha256:
        sentence = "the upload is not what was announced: its SHA-256 is another; send it again"
        raise SourceError(sentence, upload=wish.upload_id, sha256=found)
    return get_uploaded(path, upload.kind, upload.name, settings)


def _check_priority(caller: Caller, priority: int) -> None:
    """Refuse a head start over others that the role does not give; going behind them is anybody's right."""
    highest = HIGHEST_PRIORITY.get(caller.role, 0) if caller.role is not None else 0
    if priority > highest:
        sentence = f"the priority {priority} is not for the role {caller.role}; give {highest} at most, or ask an admin"
        raise AccessError(sentence, priority=priority, highest=highest)


def _check_open(session: Session, caller: Caller) -> None:
    chosen = select(func.count()).where(Submission.actor == caller.actor, col(Submission.state).in_(OPEN))
    if session.exec(chosen).one() >= MOST_OPEN:
        sentence = f"{MOST_OPEN} runs of this token wait for their sources; wait until some have begun"
        raise TooBusyError(sentence, retry_after=int(PUBLISH_AGAIN.total_seconds()))


def _project(database: Database, scope: str | None) -> Project | None:
    """The project whose token it was: the run counts for its share, its quota and its pauses."""
    if scope is None:
        return None
    with database.read() as session:
        return session.exec(select(Project).where(Project.name == scope)).first()


def _is_own(project: Project | None, wish: Submission, settings: Settings) -> bool:
    """Whether the wish is for the project's own repository, whose source may say any name."""
    if project is None or wish.upload_id is not None:
        return False
    target = read_remote_target(wish.target, settings)
    return isinstance(target, RepositoryTarget) and address_of(target.url) == project.address


def _check_scope(scope: str | None, project: str) -> None:
    if scope is not None and canonicalize_name(project) != scope:
        sentence = f"this is {project}, and the token is for {scope} only; take a token for it"
        raise AccessError(sentence, project=scope)


def _give_back(database: Database, submission_id: str) -> None:
    """Have it carried out again, by whoever is free."""
    with database.write() as session:
        wish = find_submission(session, submission_id)
        if wish.state is SubmissionState.FETCHING:
            wish.state, wish.published, wish.lease_expires = SubmissionState.WAITING, None, None


def _end(database: Database, settings: Settings, submission_id: str, error: FarmError | None) -> None:
    with database.write() as session:
        wish = find_submission(session, submission_id)
        withdrawn = wish.state is SubmissionState.REFUSED
        if not withdrawn:
            _note_end(wish, error)
        over = wish.state is not SubmissionState.WAITING
    if over and wish.upload_id is not None:
        forget_upload(database, settings, wish.upload_id)  # it is a source now, or of no use
    if withdrawn and error is None:
        runs.cancel(database, submission_id)


def _note_end(wish: Submission, error: FarmError | None) -> None:
    farms_fault = error is not None and exit_code_of(error) == FARMS_FAULT
    if farms_fault and wish.tries < MOST_TRIES:
        wish.state, wish.published = SubmissionState.WAITING, now()
        wish.lease_expires = now() + PUBLISH_AGAIN
    elif error is not None:
        wish.state, wish.code, wish.reason = SubmissionState.REFUSED, error.code, error.sentence
    else:
        wish.state = SubmissionState.ACCEPTED
